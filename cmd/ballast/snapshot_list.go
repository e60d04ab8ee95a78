package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newSnapshotListCommand(a *app) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list [--data-dir DIR]",
		Short: "Show every member's newest snapshot",
		Long: "Show every member's newest snapshot: the one that it starts from, and gives to others. Members take them at\n" +
			"the same points of the log, so those of one index are the same, page for page.",
		Example: "  ballast snapshot list",
		Args:    args(),
	}
	online := a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		view := viewSnapshots(c.Operator().StatusOfAll(ctx))
		if err := a.write(view.grid(), view); err != nil {
			return err
		}
		if !view.answered() {
			return codeError{code: exitUnavailable}
		}
		return nil
	})
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if dir != "" {
			return a.lookOffline(cmd.Context(), "list", dir)
		}
		return online(cmd, args)
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", dataDirHelp)
	return cmd
}

// snapshotListView is each member's newest snapshot, in JSON.
type snapshotListView struct {
	Members []memberSnapshotView `json:"members"`
}

type memberSnapshotView struct {
	Member    string `json:"member"`
	Reachable bool   `json:"reachable"`
	// Snapshot is null where there is none yet, or the member does not answer.
	Snapshot *snapshotView `json:"snapshot"`
}

func viewSnapshots(answers []client.MemberStatus) *snapshotListView {
	v := &snapshotListView{Members: []memberSnapshotView{}}
	for _, m := range viewStatus(answers).Members {
		v.Members = append(v.Members, memberSnapshotView{m.Name, m.Reachable, m.Snapshot})
	}
	slices.SortFunc(v.Members, func(a, b memberSnapshotView) int { return strings.Compare(a.Member, b.Member) })
	return v
}

func (v *snapshotListView) answered() bool {
	return slices.ContainsFunc(v.Members, func(m memberSnapshotView) bool { return m.Reachable })
}

func (v *snapshotListView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "member"},
		{Name: "index", Right: true},
		{Name: "term", Right: true},
		{Name: "age", Right: true},
		{Name: "pages", Right: true},
		{Name: "bytes", Right: true},
		{Name: "packs", Right: true},
		{Name: "pack_bytes", Right: true},
		{Name: "state"},
	}}
	for _, m := range v.Members {
		switch s := m.Snapshot; {
		case !m.Reachable:
			g.Add(m.Member, "", "", "", "", "", "", "", "does not answer")
		case s == nil:
			g.Add(m.Member, "", "", "", "", "", "", "", "has none yet")
		default:
			g.Add(m.Member, s.index(), fmt.Sprint(s.Term), s.age(), fmt.Sprint(s.Pages), fmt.Sprint(s.Bytes), fmt.Sprint(s.Packs), fmt.Sprint(s.PackBytes), "")
		}
	}
	return g
}

// age is how old it is, in whole seconds.
func (s *snapshotView) age() string {
	if s.AgeSeconds == nil {
		return ""
	}
	return time.Duration(*s.AgeSeconds * float64(time.Second)).Round(time.Second).String()
}
