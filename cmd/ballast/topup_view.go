package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// topUpView is a top-up in JSON.
type topUpView struct {
	ID          string `json:"id"`
	Account     string `json:"account"`
	Ledger      string `json:"ledger"`
	State       string `json:"state"`
	Amount      string `json:"amount"`
	AmountUnits string `json:"amount_units"`
	Payment     string `json:"payment"`
	Lease       uint32 `json:"lease"`
	Holder      string `json:"holder,omitempty"`
	LeasedUntil string `json:"leased_until"`
	// ChargeBy is there from the first lease on. LookupOnly: under the newest lease it must not be charged.
	ChargeBy   string `json:"charge_by,omitempty"`
	LookupOnly bool   `json:"lookup_only"`
	// Unknown: somebody who had it could not tell what became of the charge.
	Unknown       bool   `json:"unknown"`
	Created       string `json:"created"`
	Ended         string `json:"ended,omitempty"`
	FirstSequence uint64 `json:"first_sequence"`
	LastSequence  uint64 `json:"last_sequence"`
}

type topUpList struct {
	TopUps []*topUpView `json:"top_ups"`
	Read   *readView    `json:"read,omitempty"`
}

// topUpWithRead is one top-up in JSON; a stale read says how old it is.
type topUpWithRead struct {
	*topUpView
	Read *readView `json:"read,omitempty"`
}

func viewTopUp(t *ballastv1.TopUpRecord) *topUpView {
	d := denomination{ledger: t.GetLedger(), scale: t.GetScale()}
	return &topUpView{
		ID: t.GetId(), Account: t.GetAccount(), Ledger: t.GetLedger(),
		State:  strings.ToLower(strings.TrimPrefix(t.GetState().String(), "TOP_UP_STATE_")),
		Amount: d.format(t.GetAmount()), AmountUnits: strconv.FormatInt(t.GetAmount(), 10), Payment: t.GetPaymentReference(),
		Lease: t.GetLease(), Holder: t.GetHolder(), LeasedUntil: timetext.Format(t.GetLeasedUntil()), ChargeBy: timetext.Format(t.GetChargeBy()),
		LookupOnly: t.GetLookupOnly(), Unknown: t.GetUnknown(), Created: timetext.Format(t.GetCreated()), Ended: timetext.Format(t.GetEnded()),
		FirstSequence: t.GetFirstSequence(), LastSequence: t.GetLastSequence(),
	}
}

func topUpGrid(topUps []*topUpView) *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "id"},
		{Name: "account"},
		{Name: "ledger", Wide: true},
		{Name: "state"},
		{Name: "amount", Right: true},
		{Name: "amount_units", Wide: true},
		{Name: "payment"},
		{Name: "lease", Right: true},
		{Name: "holder", Wide: true},
		{Name: "leased_until"},
		{Name: "charge_by", Wide: true},
		{Name: "lookup_only"},
		{Name: "unknown"},
		{Name: "created", Wide: true},
		{Name: "ended"},
		{Name: "last_sequence", Wide: true},
	}}
	for _, v := range topUps {
		g.Add(v.ID, v.Account, v.Ledger, v.State, v.Amount, v.AmountUnits, v.Payment, strconv.FormatUint(uint64(v.Lease), 10), v.Holder,
			v.LeasedUntil, v.ChargeBy, strconv.FormatBool(v.LookupOnly), strconv.FormatBool(v.Unknown), v.Created, v.Ended,
			strconv.FormatUint(v.LastSequence, 10))
	}
	return g
}

// policyView is a policy in JSON. Fields that it does not have are left out.
type policyView struct {
	Account        string `json:"account"`
	Ledger         string `json:"ledger"`
	On             bool   `json:"on"`
	Below          string `json:"below"`
	BelowUnits     string `json:"below_units"`
	Charge         string `json:"charge,omitempty"`
	ChargeUnits    string `json:"charge_units,omitempty"`
	UpTo           string `json:"up_to,omitempty"`
	UpToUnits      string `json:"up_to_units,omitempty"`
	Source         string `json:"source"`
	CountCap       int64  `json:"count_cap,omitempty"`
	CountWindow    string `json:"count_window,omitempty"`
	Counted        int64  `json:"counted,omitempty"`
	SumCap         string `json:"sum_cap,omitempty"`
	SumCapUnits    string `json:"sum_cap_units,omitempty"`
	SumWindow      string `json:"sum_window,omitempty"`
	Summed         string `json:"summed,omitempty"`
	SummedUnits    string `json:"summed_units,omitempty"`
	BackOff        string `json:"back_off"`
	KeyLifetime    string `json:"key_lifetime"`
	Payment        string `json:"payment"`
	OpenTopUp      string `json:"open_top_up,omitempty"`
	Made           uint64 `json:"made"`
	DeclinedInARow uint32 `json:"declined_in_a_row"`
	RestsUntil     string `json:"rests_until,omitempty"`
	LooksAt        string `json:"looks_at,omitempty"`

	Read *readView `json:"read,omitempty"`
}

func viewPolicy(r *ballastv1.GetTopUpPolicyResponse) *policyView {
	p, d := r.GetPolicy(), denomination{ledger: r.GetLedger(), scale: r.GetScale()}
	v := &policyView{
		Account: p.GetAccount(), Ledger: r.GetLedger(), On: !p.GetOff(), Source: p.GetSourceAccount(),
		BackOff: time.Duration(p.GetBackOff()).String(), KeyLifetime: time.Duration(p.GetKeyLifetime()).String(), Payment: p.GetPaymentReference(),
		OpenTopUp: r.GetOpenTopUp(), Made: r.GetMade(), DeclinedInARow: r.GetDeclines(),
		RestsUntil: timetext.Format(r.GetRestsUntil()), LooksAt: timetext.Format(r.GetLooksAt()),
	}
	show := func(units int64, text, digits *string) {
		*text, *digits = d.format(units), strconv.FormatInt(units, 10)
	}
	show(p.GetThreshold(), &v.Below, &v.BelowUnits)
	if p.GetTarget() != 0 {
		show(p.GetTarget(), &v.UpTo, &v.UpToUnits)
	} else {
		show(p.GetAmount(), &v.Charge, &v.ChargeUnits)
	}
	if c := p.GetCountCap(); c != nil {
		v.CountCap, v.CountWindow, v.Counted = c.GetLimit(), time.Duration(c.GetWindow()).String(), r.GetCounted()
	}
	if c := p.GetSumCap(); c != nil {
		show(c.GetLimit(), &v.SumCap, &v.SumCapUnits)
		show(r.GetSummed(), &v.Summed, &v.SummedUnits)
		v.SumWindow = time.Duration(c.GetWindow()).String()
	}
	return v
}

// grid has a line for each field: a policy is looked at alone.
func (v *policyView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "field"}, {Name: "value"}}}
	for _, f := range []struct{ name, value string }{
		{"account", v.Account},
		{"on", strconv.FormatBool(v.On)},
		{"below", v.Below},
		{"charge", v.Charge},
		{"up_to", v.UpTo},
		{"source", v.Source},
		{"count_cap", perWindow(strconv.FormatInt(v.Counted, 10), strconv.FormatInt(v.CountCap, 10), v.CountWindow)},
		{"sum_cap", perWindow(v.Summed, v.SumCap, v.SumWindow)},
		{"back_off", v.BackOff},
		{"key_lifetime", v.KeyLifetime},
		{"payment", v.Payment},
		{"open_top_up", v.OpenTopUp},
		{"made", strconv.FormatUint(v.Made, 10)},
		{"declined_in_a_row", strconv.FormatUint(uint64(v.DeclinedInARow), 10)},
		{"rests_until", v.RestsUntil},
		{"looks_at", v.LooksAt},
	} {
		g.Add(f.name, f.value)
	}
	return g
}

// perWindow says how much of a cap is used; empty where there is none.
func perWindow(used, limit, window string) string {
	if window == "" {
		return ""
	}
	return used + " of " + limit + " in " + window
}
