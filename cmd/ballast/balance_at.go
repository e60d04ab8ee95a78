package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// pastBalanceView is a balance of the past in JSON.
type pastBalanceView struct {
	Account     string `json:"account"`
	Ledger      string `json:"ledger"`
	Posted      string `json:"posted"`
	PostedUnits string `json:"posted_units"`
	// Sequence of the last entry, of any account, that counts; LastSequence of the account's newest one then, 0: none.
	Sequence     uint64 `json:"sequence"`
	LastSequence uint64 `json:"last_sequence"`
	// Final: nothing changes this any more.
	Final bool      `json:"final"`
	Read  *readView `json:"read,omitempty"`
}

func newBalanceAtCommand(a *app) *cobra.Command {
	var read reading
	cmd := &cobra.Command{
		Use:   "balance-at ACCOUNT SEQUENCE|TIME",
		Short: "Show an account's balance of the past",
		Long: "Show an account's posted balance right after an entry, of whichever account, or at a log time: after all\n" +
			"entries of that time and before. A time that log time has not passed yet is answered with the balance so\n" +
			"far, and said not to be final.",
		Example: "  ballast balance-at alice 4711\n  ballast balance-at alice 2026-01-31T23:59:59Z",
		Args:    args("ACCOUNT", "SEQUENCE|TIME"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		answer, err := pastBalance(ctx, c, args[0], args[1], read.options())
		if err != nil {
			return accountError(err, args[0])
		}
		d := denomination{ledger: answer.GetLedger(), scale: answer.GetScale()}
		view := &pastBalanceView{
			Account: args[0], Ledger: d.ledger, Posted: d.format(answer.GetPosted()), PostedUnits: strconv.FormatInt(answer.GetPosted(), 10),
			Sequence: answer.GetSequence(), LastSequence: answer.GetLastSequence(), Final: answer.GetFinal(),
		}
		if read.stale {
			view.Read = read.view()
		}
		if err := a.write(view.grid(), view); err != nil {
			return err
		}
		if !view.Final && a.format == render.Table {
			a.note("not final: log time has not passed %s yet", args[1])
		}
		read.tell(a)
		return nil
	})
	read.addFlags(cmd.Flags())
	return cmd
}

// pastBalance takes a number for a sequence number and anything else for a time.
func pastBalance(ctx context.Context, c *client.Client, account, at string, options []client.ReadOption) (*ballastv1.GetPastBalanceResponse, error) {
	if isDigits(at) {
		sequence, err := strconv.ParseUint(at, 10, 64)
		if err != nil {
			return nil, usagef("sequence %s: it is not within 0 to 2^64-1", at)
		}
		return c.BalanceAfter(ctx, account, sequence, options...)
	}
	time, err := parseLogTime("time", at)
	if err != nil {
		return nil, err
	}
	return c.BalanceAt(ctx, account, time, options...)
}

func (v *pastBalanceView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "account"},
		{Name: "ledger"},
		{Name: "posted", Right: true},
		{Name: "posted_units", Right: true, Wide: true},
		{Name: "sequence", Right: true},
		{Name: "last_sequence", Right: true},
		{Name: "final"},
	}}
	g.Add(v.Account, v.Ledger, v.Posted, v.PostedUnits, strconv.FormatUint(v.Sequence, 10), strconv.FormatUint(v.LastSequence, 10),
		strconv.FormatBool(v.Final))
	return g
}
