package main

import (
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// holdView is a hold in JSON.
type holdView struct {
	ID             string `json:"id"`
	Account        string `json:"account"`
	Ledger         string `json:"ledger"`
	State          string `json:"state"`
	Amount         string `json:"amount"`
	AmountUnits    string `json:"amount_units"`
	Captured       string `json:"captured"`
	CapturedUnits  string `json:"captured_units"`
	Remaining      string `json:"remaining"`
	RemainingUnits string `json:"remaining_units"`
	InParts        bool   `json:"in_parts"`
	Created        string `json:"created"`
	Expires        string `json:"expires"`
	Ended          string `json:"ended,omitempty"`
	FirstSequence  uint64 `json:"first_sequence"`
	LastSequence   uint64 `json:"last_sequence"`
}

type holdList struct {
	Account string      `json:"account"`
	Holds   []*holdView `json:"holds"`
	Read    *readView   `json:"read,omitempty"`
}

// holdWithRead is one hold in JSON; a stale read says how old it is.
type holdWithRead struct {
	*holdView
	Read *readView `json:"read,omitempty"`
}

func viewHold(h *ballastv1.HoldRecord) *holdView {
	d := denomination{ledger: h.GetLedger(), scale: h.GetScale()}
	units := func(n int64) string { return strconv.FormatInt(n, 10) }
	return &holdView{
		ID: h.GetId(), Account: h.GetAccount(), Ledger: h.GetLedger(),
		State:  strings.ToLower(strings.TrimPrefix(h.GetState().String(), "HOLD_STATE_")),
		Amount: d.format(h.GetAmount()), AmountUnits: units(h.GetAmount()),
		Captured: d.format(h.GetCaptured()), CapturedUnits: units(h.GetCaptured()),
		Remaining: d.format(h.GetRemaining()), RemainingUnits: units(h.GetRemaining()),
		InParts: h.GetInParts(), Created: timetext.Format(h.GetCreated()), Expires: timetext.Format(h.GetExpires()), Ended: timetext.Format(h.GetEnded()),
		FirstSequence: h.GetFirstSequence(), LastSequence: h.GetLastSequence(),
	}
}

func holdGrid(holds []*holdView) *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "id"},
		{Name: "account"},
		{Name: "ledger"},
		{Name: "state"},
		{Name: "amount", Right: true},
		{Name: "captured", Right: true},
		{Name: "remaining", Right: true},
		{Name: "amount_units", Wide: true},
		{Name: "captured_units", Wide: true},
		{Name: "remaining_units", Wide: true},
		{Name: "in_parts"},
		{Name: "created", Wide: true},
		{Name: "expires"},
		{Name: "ended"},
		{Name: "last_sequence", Right: true},
	}}
	for _, v := range holds {
		g.Add(v.ID, v.Account, v.Ledger, v.State, v.Amount, v.Captured, v.Remaining, v.AmountUnits, v.CapturedUnits, v.RemainingUnits,
			strconv.FormatBool(v.InParts), v.Created, v.Expires, v.Ended, strconv.FormatUint(v.LastSequence, 10))
	}
	return g
}
