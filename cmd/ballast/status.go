package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newStatusCommand(a *app) *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "status [--watch]",
		Short: "Show every member, who leads, and whether their states agree",
		Long: "Ask every member how it is. The digest is one of the whole state at the last checkpoint that all\n" +
			"answering members have: equal everywhere, or something is wrong. A member that comes back shows what it\n" +
			"is at, how much of how much, and how long that still takes. Exits 3 without a leader or a\n" +
			"majority, 1 where digests differ.",
		Example: "  ballast status\n  ballast status --watch\n  ballast status -o json | jq '.members[].lag_entries'",
		Args:    args(),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("watch") {
			return a.bounded(a.showStatus)(cmd, args)
		}
		if every <= 0 {
			return usagef("--watch=%s: the time between two looks must be positive, such as 2s", every)
		}
		return a.watchStatus(cmd, args, every)
	}
	cmd.Flags().DurationVar(&every, "watch", 2*time.Second, "look again every so often until interrupted: --watch, or --watch=5s")
	cmd.Flags().Lookup("watch").NoOptDefVal = "2s"
	return cmd
}

// watchStatus shows the status again and again. What is wrong with the cluster does not end it.
func (a *app) watchStatus(cmd *cobra.Command, args []string, every time.Duration) error {
	ctx := cmd.Context()
	for {
		fmt.Fprintf(a.err, "-- %s\n", time.Now().UTC().Format(time.RFC3339))
		if err := a.bounded(a.showStatus)(cmd, args); err != nil && ctx.Err() == nil && err.Error() != "" {
			a.note("%s", inWords(err))
		}
		select {
		case <-time.After(every):
		case <-ctx.Done():
			return nil
		}
	}
}

func (a *app) showStatus(ctx context.Context, c *client.Client, _ []string) error {
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
}

func (v *statusView) summary(a *app) {
	if v.Leader != "" {
		fmt.Fprintf(a.out, "%s leads in term %d; %d of %d voters answer; ids are remembered for %s; cluster version %d\n",
			v.Leader, v.Term, v.ReachableVoters, v.Voters, v.window(), v.ClusterVersion)
	}
	if raisable := v.raisable(); raisable > v.ClusterVersion {
		fmt.Fprintf(a.out, "every member's program applies cluster version %d: ballast cluster raise-version\n", raisable)
	}
	if v.DigestsEqual != nil && *v.DigestsEqual {
		fmt.Fprintf(a.out, "digests are equal at log index %d\n", v.DigestIndex)
	}
	if v.DigestIndex == 0 && v.Leader != "" {
		fmt.Fprintln(a.out, "no digest to compare yet: members note one at each checkpoint, and have none in common so far")
	}
}

// raisable is the newest cluster version that every member's program applies; 0: not known.
func (v *statusView) raisable() uint32 {
	low, known := uint32(0), false
	for _, m := range v.Members {
		if m.Role == "unknown" {
			continue
		}
		if !known || m.NewestClusterVersion < low {
			low, known = m.NewestClusterVersion, true
		}
	}
	return low
}

func (v *statusView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "name"},
		{Name: "role"},
		{Name: "phase"},
		{Name: "pid", Right: true, Wide: true},
		{Name: "applied_index", Right: true},
		{Name: "lag_entries", Right: true},
		{Name: "lag_bytes", Right: true, Wide: true},
		{Name: "lag_seconds", Right: true},
		{Name: "done"},
		{Name: "rate", Right: true},
		{Name: "left", Right: true},
		{Name: "snapshot_index", Right: true},
		{Name: "digest", Wide: true},
		{Name: "digest_index", Right: true, Wide: true},
		{Name: "client_address"},
		{Name: "version", Wide: true},
		{Name: "cluster_versions", Wide: true},
		{Name: "state"},
	}}
	for _, m := range v.Members {
		state, phase := m.State, m.Phase
		if !m.Reachable {
			state, phase = "does not answer", "unknown"
		}
		index := ""
		if m.DigestIndex > 0 {
			index = strconv.FormatUint(m.DigestIndex, 10)
		}
		g.Add(m.Name, m.Role, phase, number(m.PID), number(m.AppliedIndex), number(m.LagEntries), number(m.LagBytes), number(m.LagSeconds),
			m.CatchUp.done(), m.CatchUp.rate(), m.CatchUp.left(), m.Snapshot.index(), m.Digest, index, m.ClientAddress, m.Version,
			m.clusterVersions(), state)
	}
	return g
}

// clusterVersions are those that its program applies.
func (m *memberView) clusterVersions() string {
	switch {
	case m.NewestClusterVersion == 0:
		return ""
	case m.OldestClusterVersion == 0:
		return fmt.Sprintf("to %d", m.NewestClusterVersion)
	}
	return fmt.Sprintf("%d to %d", m.OldestClusterVersion, m.NewestClusterVersion)
}

// number is a number that may be missing.
func number[N int64 | uint64 | float64](n *N) string {
	if n == nil {
		return ""
	}
	return fmt.Sprint(*n)
}
