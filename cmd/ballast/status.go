package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newStatusCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every member, who leads, and whether their states agree",
		Long: "Ask every member how it is. The digest is one of the whole state at the last checkpoint that all\n" +
			"answering members have: equal everywhere, or something is wrong. Exits 3 without a leader or a\n" +
			"majority, 1 where digests differ.",
		Example: "  ballast status\n  ballast status -o json | jq '.members[].lag_entries'",
		Args:    args(),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		view := viewStatus(c.Operator().StatusOfAll(ctx))
		if err := a.write(view.grid(), view); err != nil {
			return err
		}
		if a.format == render.Table {
			view.summary(a)
		}
		for _, problem := range view.Problems {
			a.note("%s", problem)
		}
		switch {
		case view.Leader == "":
			return codeError{code: exitUnavailable}
		case view.DigestsEqual != nil && !*view.DigestsEqual:
			return errors.New("digests differ")
		}
		return nil
	})
	return cmd
}

func (v *statusView) summary(a *app) {
	if v.Leader != "" {
		fmt.Fprintf(a.out, "%s leads in term %d; %d of %d voters answer; ids are remembered for %s\n",
			v.Leader, v.Term, v.ReachableVoters, v.Voters, v.window())
	}
	if v.DigestsEqual != nil && *v.DigestsEqual {
		fmt.Fprintf(a.out, "digests are equal at log index %d\n", v.DigestIndex)
	}
	if v.DigestIndex == 0 && v.Leader != "" {
		fmt.Fprintln(a.out, "no digest to compare yet: members note one at each checkpoint, and have none in common so far")
	}
}

func (v *statusView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "name"},
		{Name: "role"},
		{Name: "pid", Right: true},
		{Name: "applied_index", Right: true},
		{Name: "lag_entries", Right: true},
		{Name: "digest"},
		{Name: "digest_index", Right: true},
		{Name: "client_address"},
		{Name: "state"},
	}}
	for _, m := range v.Members {
		state := m.State
		if !m.Reachable {
			state = "does not answer"
		}
		index := ""
		if m.DigestIndex > 0 {
			index = strconv.FormatUint(m.DigestIndex, 10)
		}
		g.Add(m.Name, m.Role, number(m.PID), number(m.AppliedIndex), number(m.LagEntries), m.Digest, index, m.ClientAddress, state)
	}
	return g
}

// number is a number that may be missing.
func number[N int64 | uint64](n *N) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}
