package main

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// accountView is an account in JSON: amounts as decimals of the ledger, and the same in minor units, all as strings.
type accountView struct {
	ID             string   `json:"id"`
	Ledger         string   `json:"ledger"`
	Posted         string   `json:"posted"`
	Held           string   `json:"held"`
	Floor          string   `json:"floor"`
	Ceiling        string   `json:"ceiling,omitempty"`
	Available      string   `json:"available"`
	PostedUnits    string   `json:"posted_units"`
	HeldUnits      string   `json:"held_units"`
	FloorUnits     string   `json:"floor_units"`
	CeilingUnits   string   `json:"ceiling_units,omitempty"`
	AvailableUnits string   `json:"available_units"`
	Version        uint64   `json:"version"`
	Flags          []string `json:"flags"`
	// Caps on its debits, and what counts against them now.
	Caps []capView `json:"caps,omitempty"`
	// LowBalance is the threshold below which it is told to be low.
	LowBalance      string `json:"low_balance,omitempty"`
	LowBalanceUnits string `json:"low_balance_units,omitempty"`
}

// capView is a velocity cap in JSON.
type capView struct {
	Window       string `json:"window"`
	Limit        string `json:"limit"`
	LimitUnits   string `json:"limit_units"`
	Counted      string `json:"counted"`
	CountedUnits string `json:"counted_units"`
}

// flagSystem marks a ledger's own accounts.
const flagSystem = "system"

// accountList is many accounts in JSON.
type accountList struct {
	Accounts []*accountView `json:"accounts"`
	// Read is there for stale reads: how old the answer is.
	Read *readView `json:"read,omitempty"`
}

func viewAccount(account *ballastv1.Account) *accountView {
	d := of(account)
	units := func(n int64) string { return strconv.FormatInt(n, 10) }
	v := &accountView{
		ID: account.GetId(), Ledger: account.GetLedger(), Version: account.GetVersion(), Flags: []string{},
		Posted: d.format(account.GetPosted()), PostedUnits: units(account.GetPosted()),
		Held: d.format(account.GetHeld()), HeldUnits: units(account.GetHeld()),
		Floor: d.format(account.GetFloor()), FloorUnits: units(account.GetFloor()),
		Available: d.format(account.GetAvailable()), AvailableUnits: units(account.GetAvailable()),
	}
	if account.Ceiling != nil {
		v.Ceiling, v.CeilingUnits = d.format(account.GetCeiling()), units(account.GetCeiling())
	}
	for _, c := range account.GetCaps() {
		v.Caps = append(v.Caps, capView{
			Window: time.Duration(c.GetCap().GetWindow()).String(), Limit: d.format(c.GetCap().GetLimit()), LimitUnits: units(c.GetCap().GetLimit()),
			Counted: d.format(c.GetCounted()), CountedUnits: units(c.GetCounted()),
		})
	}
	if low := account.GetLowBalance(); low != 0 {
		v.LowBalance, v.LowBalanceUnits = d.format(low), units(low)
	}
	v.Flags = append(v.Flags, exporter.Flags(account)...)
	if account.GetLow() {
		v.Flags = append(v.Flags, "low")
	}
	return v
}

func accountGrid(accounts []*accountView) *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "id"},
		{Name: "ledger"},
		{Name: "posted", Right: true},
		{Name: "held", Right: true},
		{Name: "floor", Right: true},
		{Name: "ceiling", Right: true},
		{Name: "available", Right: true},
		{Name: "posted_units", Wide: true},
		{Name: "held_units", Wide: true},
		{Name: "floor_units", Wide: true},
		{Name: "ceiling_units", Wide: true},
		{Name: "available_units", Wide: true},
		{Name: "version", Right: true},
		{Name: "flags"},
		{Name: "caps", Wide: true},
		{Name: "low_balance", Right: true, Wide: true},
	}}
	for _, v := range accounts {
		// A ledger's own accounts have no floor. What stands for that in JSON is the lowest number there is, which tells
		// people nothing: such a cell stays empty.
		limit := func(number string) string { return number }
		if slices.Contains(v.Flags, flagSystem) {
			limit = func(string) string { return "" }
		}
		var caps []string
		for _, c := range v.Caps {
			caps = append(caps, c.Counted+" of "+c.Limit+"/"+c.Window)
		}
		g.Add(v.ID, v.Ledger, v.Posted, v.Held, limit(v.Floor), v.Ceiling, limit(v.Available),
			v.PostedUnits, v.HeldUnits, limit(v.FloorUnits), v.CeilingUnits, limit(v.AvailableUnits),
			strconv.FormatUint(v.Version, 10), strings.Join(v.Flags, ","), strings.Join(caps, ","), v.LowBalance)
	}
	return g
}
