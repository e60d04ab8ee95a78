package main

import (
	"strconv"
	"time"

	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// feedView is an entry of the feed in JSON. Fields that an entry has no use for are left out; amounts are decimals of the ledger,
// those in minor units beside them.
type feedView struct {
	Sequence  uint64 `json:"sequence"`
	LogTime   string `json:"log_time"`
	Kind      string `json:"kind"`
	Operation string `json:"operation"`
	Ledger    string `json:"ledger"`
	Scale     uint32 `json:"scale"`
	Asset     string `json:"asset,omitempty"`

	DebitAccount      string `json:"debit_account,omitempty"`
	CreditAccount     string `json:"credit_account,omitempty"`
	Amount            string `json:"amount,omitempty"`
	AmountUnits       string `json:"amount_units,omitempty"`
	DebitPosted       string `json:"debit_posted,omitempty"`
	DebitPostedUnits  string `json:"debit_posted_units,omitempty"`
	CreditPosted      string `json:"credit_posted,omitempty"`
	CreditPostedUnits string `json:"credit_posted_units,omitempty"`

	EventTime string `json:"event_time,omitempty"`
	Code      uint32 `json:"code,omitempty"`
	Reference string `json:"reference,omitempty"`

	Asked            string `json:"asked,omitempty"`
	AskedUnits       string `json:"asked_units,omitempty"`
	ReversedSequence uint64 `json:"reversed_sequence,omitempty"`

	Hold       *feedHold       `json:"hold,omitempty"`
	Limits     *feedLimits     `json:"limits,omitempty"`
	Freeze     *feedFreeze     `json:"freeze,omitempty"`
	Caps       *[]feedCap      `json:"caps,omitempty"`
	LowBalance *feedLowBalance `json:"low_balance,omitempty"`
	TopUp      *feedTopUp      `json:"top_up,omitempty"`
	Policy     *feedPolicy     `json:"top_up_policy,omitempty"`
}

type feedTopUp struct {
	ID          string `json:"id"`
	Previous    uint64 `json:"previous_sequence,omitempty"`
	Amount      string `json:"amount"`
	AmountUnits string `json:"amount_units"`
	Lease       uint32 `json:"lease"`
	Until       string `json:"until,omitempty"`
	LookupOnly  bool   `json:"lookup_only"`
	Ended       bool   `json:"ended"`
}

type feedPolicy struct {
	Off            bool   `json:"off"`
	Threshold      string `json:"threshold,omitempty"`
	ThresholdUnits string `json:"threshold_units,omitempty"`
	Amount         string `json:"amount,omitempty"`
	AmountUnits    string `json:"amount_units,omitempty"`
	Target         string `json:"target,omitempty"`
	TargetUnits    string `json:"target_units,omitempty"`
	Source         string `json:"source_account,omitempty"`
	Payment        string `json:"payment_reference,omitempty"`
}

type feedHold struct {
	ID             string `json:"id"`
	Previous       uint64 `json:"previous_sequence,omitempty"`
	Remaining      string `json:"remaining"`
	RemainingUnits string `json:"remaining_units"`
	Released       string `json:"released"`
	ReleasedUnits  string `json:"released_units"`
	Expires        string `json:"expires"`
	InParts        bool   `json:"in_parts"`
	Ended          bool   `json:"ended"`
}

type feedLimits struct {
	Floor        string `json:"floor"`
	FloorUnits   string `json:"floor_units"`
	Ceiling      string `json:"ceiling,omitempty"`
	CeilingUnits string `json:"ceiling_units,omitempty"`
}

type feedFreeze struct {
	Frozen        bool `json:"frozen"`
	FrozenCredits bool `json:"frozen_credits"`
}

type feedCap struct {
	Window     string `json:"window"`
	Limit      string `json:"limit"`
	LimitUnits string `json:"limit_units"`
}

type feedLowBalance struct {
	Threshold      string `json:"threshold"`
	ThresholdUnits string `json:"threshold_units"`
	Available      string `json:"available"`
	AvailableUnits string `json:"available_units"`
}

func viewFeed(e *ballastv1.Entry) *feedView {
	d := denomination{ledger: e.GetLedger(), scale: e.GetScale()}
	amount := func(units int64) (text, digits string) { return d.format(units), strconv.FormatInt(units, 10) }
	v := &feedView{
		Sequence: e.GetSequence(), LogTime: timetext.FormatFixed(e.GetLogTime()), Kind: exporter.KindName(e.GetKind()), Operation: e.GetOperationId(),
		Ledger: e.GetLedger(), Scale: e.GetScale(), Asset: e.GetAsset(), DebitAccount: e.GetDebitAccount(), CreditAccount: e.GetCreditAccount(),
		EventTime: timetext.Format(e.GetEventTime()), Code: e.GetCode(), Reference: e.GetReference(), ReversedSequence: e.GetReversedSequence(),
	}
	if v.DebitAccount != "" {
		v.Amount, v.AmountUnits = amount(e.GetAmount())
		v.DebitPosted, v.DebitPostedUnits = amount(e.GetDebitPosted())
	}
	if v.CreditAccount != "" {
		v.CreditPosted, v.CreditPostedUnits = amount(e.GetCreditPosted())
	}
	if e.GetAsked() != 0 {
		v.Asked, v.AskedUnits = amount(e.GetAsked())
	}
	if h := e.GetHold(); h != nil {
		v.Hold = &feedHold{ID: h.GetId(), Previous: h.GetPreviousSequence(), Expires: timetext.Format(h.GetExpires()), InParts: h.GetInParts(), Ended: h.GetEnded()}
		v.Hold.Remaining, v.Hold.RemainingUnits = amount(h.GetRemaining())
		v.Hold.Released, v.Hold.ReleasedUnits = amount(h.GetReleased())
	}
	if l := e.GetLimits(); l != nil {
		v.Limits = &feedLimits{}
		v.Limits.Floor, v.Limits.FloorUnits = amount(l.GetFloor())
		if l.Ceiling != nil {
			v.Limits.Ceiling, v.Limits.CeilingUnits = amount(l.GetCeiling())
		}
	}
	if f := e.GetFreeze(); f != nil {
		v.Freeze = &feedFreeze{f.GetFrozen(), f.GetFrozenCredits()}
	}
	if e.GetKind() == ballastv1.EntryKind_ENTRY_KIND_VELOCITY_SET {
		caps := []feedCap{}
		for _, c := range e.GetCaps() {
			one := feedCap{Window: time.Duration(c.GetWindow()).String()}
			one.Limit, one.LimitUnits = amount(c.GetLimit())
			caps = append(caps, one)
		}
		v.Caps = &caps
	}
	if l := e.GetLowBalance(); l != nil {
		v.LowBalance = &feedLowBalance{}
		v.LowBalance.Threshold, v.LowBalance.ThresholdUnits = amount(l.GetThreshold())
		v.LowBalance.Available, v.LowBalance.AvailableUnits = amount(l.GetAvailable())
	}
	if u := e.GetTopUp(); u != nil {
		v.TopUp = &feedTopUp{
			ID: u.GetId(), Previous: u.GetPreviousSequence(), Lease: u.GetLease(), Until: timetext.Format(u.GetUntil()), LookupOnly: u.GetLookupOnly(), Ended: u.GetEnded(),
		}
		v.TopUp.Amount, v.TopUp.AmountUnits = amount(u.GetAmount())
	}
	if p := e.GetTopUpPolicy(); p != nil {
		v.Policy = &feedPolicy{Off: p.GetOff(), Source: p.GetSourceAccount(), Payment: p.GetPaymentReference()}
		if !p.GetOff() {
			v.Policy.Threshold, v.Policy.ThresholdUnits = amount(p.GetThreshold())
			v.Policy.Amount, v.Policy.AmountUnits = amount(p.GetAmount())
			v.Policy.Target, v.Policy.TargetUnits = amount(p.GetTarget())
		}
	}
	return v
}
