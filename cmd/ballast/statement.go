package main

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// entryView is an entry as an account's statement shows it, in JSON.
type entryView struct {
	Sequence uint64 `json:"sequence"`
	LogTime  string `json:"log_time"`
	Kind     string `json:"kind"`
	// Amount is signed: what the entry added to the account.
	Amount      string `json:"amount"`
	AmountUnits string `json:"amount_units"`
	// Posted is the account's balance right after.
	Posted       string `json:"posted"`
	PostedUnits  string `json:"posted_units"`
	Counterparty string `json:"counterparty"`
	Operation    string `json:"operation"`
	EventTime    string `json:"event_time"`
	Code         uint32 `json:"code"`
	Reference    string `json:"reference"`
	// Hold of an entry about one: its id, what it holds after, and what the entry gave back.
	Hold           string `json:"hold,omitempty"`
	Remaining      string `json:"remaining,omitempty"`
	RemainingUnits string `json:"remaining_units,omitempty"`
	Released       string `json:"released,omitempty"`
	ReleasedUnits  string `json:"released_units,omitempty"`
}

type statementView struct {
	Account string      `json:"account"`
	Ledger  string      `json:"ledger"`
	Entries []entryView `json:"entries"`
	// NextBefore gives the next older entries as --before, NextAfter with --forward the next newer ones as --after; 0: there
	// are none.
	NextBefore uint64    `json:"next_before"`
	NextAfter  uint64    `json:"next_after,omitempty"`
	Read       *readView `json:"read,omitempty"`
}

func newStatementCommand(a *app) *cobra.Command {
	var read reading
	var limit int
	var of stretchFlags
	cmd := &cobra.Command{
		Use:     "statement ACCOUNT",
		Short:   "List an account's entries, newest first",
		Example: "  ballast statement alice --limit 20\n  ballast statement alice --forward --from 2026-01-01 --until 2026-02-01 --limit 0 -o csv > january.csv",
		Args:    args("ACCOUNT"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		if limit < 0 {
			return usagef("--limit %d: it must be 0 (all) or more", limit)
		}
		stretch, err := of.stretch()
		if err != nil {
			return err
		}
		d, err := ofAccount(ctx, c, args[0])
		if err != nil {
			return err
		}
		options := read.options()
		if limit > 0 && limit < 1000 {
			options = append(options, client.WithPageSize(uint32(limit)))
		}
		view := &statementView{Account: args[0], Ledger: d.ledger, Entries: []entryView{}}
		for entry, err := range c.History(ctx, args[0], stretch, options...) {
			if err != nil {
				return accountError(err, args[0])
			}
			if limit > 0 && len(view.Entries) == limit {
				break
			}
			view.Entries = append(view.Entries, viewEntry(entry, args[0], d))
		}
		if n := len(view.Entries); n > 0 && n == limit && stretch.Forward {
			view.NextAfter = view.Entries[n-1].Sequence
		} else if n > 0 && n == limit {
			view.NextBefore = view.Entries[n-1].Sequence
		}
		if read.stale {
			view.Read = read.view()
		}
		if err := a.write(view.grid(), view); err != nil {
			return err
		}
		if view.NextBefore > 0 && a.format == render.Table {
			a.note("older entries, if any: --before %d", view.NextBefore)
		}
		if view.NextAfter > 0 && a.format == render.Table {
			a.note("newer entries, if any: --after %d", view.NextAfter)
		}
		read.tell(a)
		return nil
	})
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many entries; 0: all")
	of.addFlags(cmd.Flags())
	read.addFlags(cmd.Flags())
	return cmd
}

func viewEntry(entry *ballastv1.Entry, account string, d denomination) entryView {
	amount, posted, counterparty := entry.GetAmount(), entry.GetCreditPosted(), entry.GetDebitAccount()
	if entry.GetDebitAccount() == account {
		amount, posted, counterparty = -amount, entry.GetDebitPosted(), entry.GetCreditAccount()
	}
	v := entryView{
		Sequence: entry.GetSequence(), LogTime: timetext.FormatFixed(entry.GetLogTime()),
		Kind:   exporter.KindName(entry.GetKind()),
		Amount: d.format(amount), AmountUnits: strconv.FormatInt(amount, 10),
		Posted: d.format(posted), PostedUnits: strconv.FormatInt(posted, 10),
		Counterparty: counterparty, Operation: entry.GetOperationId(),
		EventTime: timetext.Format(entry.GetEventTime()), Code: entry.GetCode(), Reference: entry.GetReference(),
	}
	if h := entry.GetHold(); h != nil {
		v.Hold, v.Remaining, v.Released = h.GetId(), d.format(h.GetRemaining()), d.format(h.GetReleased())
		v.RemainingUnits, v.ReleasedUnits = strconv.FormatInt(h.GetRemaining(), 10), strconv.FormatInt(h.GetReleased(), 10)
	}
	return v
}

func (v *statementView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "sequence", Right: true},
		{Name: "log_time"},
		{Name: "kind"},
		{Name: "amount", Right: true},
		{Name: "posted", Right: true},
		{Name: "amount_units", Wide: true},
		{Name: "posted_units", Wide: true},
		{Name: "counterparty"},
		{Name: "event_time"},
		{Name: "code", Right: true},
		{Name: "reference"},
		{Name: "operation"},
		{Name: "hold", Wide: true},
		{Name: "remaining", Right: true, Wide: true},
		{Name: "released", Right: true, Wide: true},
	}}
	for _, e := range v.Entries {
		g.Add(strconv.FormatUint(e.Sequence, 10), e.LogTime, e.Kind, e.Amount, e.Posted, e.AmountUnits, e.PostedUnits,
			e.Counterparty, e.EventTime, strconv.FormatUint(uint64(e.Code), 10), e.Reference, e.Operation,
			e.Hold, e.Remaining, e.Released)
	}
	return g
}
