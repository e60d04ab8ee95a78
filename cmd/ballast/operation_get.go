package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// knownView is what is remembered of an operation, in JSON. An answer names an account only where it refuses; then its
// ledger is looked up and Asked and Available are there as decimals. Balances are in minor units alone.
type knownView struct {
	Operation         string    `json:"operation"`
	Known             bool      `json:"known"`
	Result            string    `json:"result,omitempty"`
	Attempt           uint32    `json:"attempt,omitempty"`
	Sequence          uint64    `json:"sequence,omitempty"`
	DebitPostedUnits  string    `json:"debit_posted_units,omitempty"`
	CreditPostedUnits string    `json:"credit_posted_units,omitempty"`
	AvailableUnits    string    `json:"available_units,omitempty"`
	AskedUnits        string    `json:"asked_units,omitempty"`
	Account           string    `json:"account,omitempty"`
	Ledger            string    `json:"ledger,omitempty"`
	Asked             string    `json:"asked,omitempty"`
	Available         string    `json:"available,omitempty"`
	Horizon           string    `json:"horizon"`
	Read              *readView `json:"read,omitempty"`
}

func newOperationGetCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Tell what became of an operation id",
		Long: "Tell what became of an operation id: its newest attempt's answer. Exits 1 where the id is not\n" +
			"remembered: if it was issued before the horizon that is shown, its outcome is no longer known;\n" +
			"otherwise it has had no effect so far (a copy that is still under way may yet take effect).",
		Example: "  ballast operation get 01a2043f-f252-73a7-b162-66d02d4bcbaf",
		Args:    args("ID"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		answer, err := c.Operation(ctx, args[0], read.options()...)
		if err != nil {
			return err
		}
		view := viewKnown(args[0], answer)
		if view.Account != "" {
			// A scale never changes: any member's will do. Without one the units have to.
			if account, err := c.Account(ctx, view.Account, client.Stale()); err == nil {
				view.denominate(of(account), answer.GetResult())
			}
		}
		if read.stale {
			view.Read = read.view()
		}
		if view.Known || a.format == render.JSON {
			if err := a.write(view.grid(), view); err != nil {
				return err
			}
		}
		if view.AvailableUnits != "" && view.Available == "" && a.format == render.Table {
			a.note("amounts are in minor units, as this answer does not name its ledger; `ballast statement ACCOUNT` has decimals")
		}
		read.tell(a)
		if !view.Known {
			return notKnown(args[0], answer)
		}
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}

func notKnown(id string, answer *ballastv1.GetOperationResponse) error {
	issued, carried := client.IssuedAt(id)
	horizon := timetext.Format(answer.GetHorizon())
	switch {
	case answer.GetState().GetStale():
		return fmt.Errorf("this member does not know operation %q; it may be behind: ask without --stale", id)
	case answer.GetHorizon() <= 0 || carried && issued >= answer.GetHorizon():
		return fmt.Errorf("operation %q is not known: it has had no effect so far; to settle it, run it again with the same id", id)
	case carried:
		return fmt.Errorf("operation %q is not remembered: it was issued before the horizon, %s; look into the statement", id, horizon)
	}
	return fmt.Errorf("operation %q is not remembered: if it was issued after %s it has had no effect so far, else look into the statement", id, horizon)
}

func viewKnown(id string, answer *ballastv1.GetOperationResponse) *knownView {
	v := &knownView{Operation: id, Known: answer.GetKnown(), Horizon: timetext.Format(answer.GetHorizon())}
	if !v.Known {
		return v
	}
	result := answer.GetResult()
	units := func(n int64) string { return strconv.FormatInt(n, 10) }
	v.Result, v.Attempt, v.Sequence, v.Account = resultName(result.GetCode()), result.GetAttempt(), result.GetSequence(), result.GetAccount()
	switch {
	case result.GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED:
		v.DebitPostedUnits, v.CreditPostedUnits = units(result.GetDebitPosted()), units(result.GetCreditPosted())
		v.AvailableUnits = units(result.GetAvailable())
	case comparesAmounts(result.GetCode()):
		v.AskedUnits, v.AvailableUnits = units(result.GetAsked()), units(result.GetAvailable())
	}
	return v
}

// denominate adds the amounts as decimals of the account's ledger.
func (v *knownView) denominate(d denomination, result *ballastv1.Result) {
	v.Ledger = d.ledger
	if comparesAmounts(result.GetCode()) {
		v.Asked, v.Available = d.format(result.GetAsked()), d.format(result.GetAvailable())
	}
}

// grid shows in a table only what applies; CSV always has the same columns.
func (v *knownView) grid() *render.Grid {
	sequence := ""
	if v.Sequence > 0 {
		sequence = strconv.FormatUint(v.Sequence, 10)
	}
	decimals := v.Available != ""
	g := &render.Grid{}
	var cells []string
	for _, c := range []struct {
		name, cell  string
		right, hide bool
	}{
		{name: "operation", cell: v.Operation},
		{name: "result", cell: v.Result},
		{name: "attempt", cell: strconv.FormatUint(uint64(v.Attempt), 10), right: true},
		{name: "sequence", cell: sequence, right: true},
		{name: "account", cell: v.Account},
		{name: "debit_posted_units", cell: v.DebitPostedUnits, right: true},
		{name: "credit_posted_units", cell: v.CreditPostedUnits, right: true},
		{name: "asked_units", cell: v.AskedUnits, right: true, hide: decimals},
		{name: "available_units", cell: v.AvailableUnits, right: true, hide: decimals},
		{name: "ledger", cell: v.Ledger},
		{name: "asked", cell: v.Asked, right: true},
		{name: "available", cell: v.Available, right: true},
	} {
		g.Columns = append(g.Columns, render.Column{Name: c.name, Right: c.right, Wide: c.hide || c.cell == ""})
		cells = append(cells, c.cell)
	}
	g.Add(cells...)
	return g
}
