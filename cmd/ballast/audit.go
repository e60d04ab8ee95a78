package main

import (
	"cmp"
	"context"
	"slices"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
)

// auditView is one action of an operator in JSON.
type auditView struct {
	Time    string `json:"time"`
	Member  string `json:"member"`
	By      string `json:"by"`
	From    string `json:"from"`
	Call    string `json:"call"`
	Request string `json:"request"`
	Outcome string `json:"outcome"`
	Error   string `json:"error"`

	at int64
}

func newAuditCommand(a *app) *cobra.Command {
	limit := 100
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show what operators did, at every member",
		Long: "Show what operators did, newest first: when, at which member, who by role and name of the\n" +
			"certificate, from which host, what, and what became of it. Each member keeps its own lines; the\n" +
			"leader has what changed the cluster.",
		Example: "  ballast audit --limit 20\n  ballast audit -o json",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "actions of each member, 1 to 1000")
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		if limit < 1 || limit > 1000 {
			return usagef("--limit %d: expected 1 to 1000", limit)
		}
		list := []auditView{}
		answered := false
		var last error
		for _, m := range c.Operator().StatusOfAll(ctx) {
			if m.Err != nil {
				last = m.Err
				a.note("%s does not answer: its actions are missing here: %s", m.Endpoint, inWords(m.Err))
				continue
			}
			entries, err := c.Operator().Audit(ctx, m.Endpoint, limit)
			if err != nil {
				return operatorError(err)
			}
			answered = true
			for _, e := range entries {
				list = append(list, auditView{
					timetext.Format(e.GetTime()), m.Status.GetName(), e.GetBy(), e.GetFrom(), e.GetCall(), e.GetRequest(), e.GetOutcome(), e.GetError(), e.GetTime(),
				})
			}
		}
		if !answered && last != nil {
			return operatorError(last)
		}
		slices.SortStableFunc(list, func(a, b auditView) int { return cmp.Compare(b.at, a.at) })
		g := &render.Grid{Columns: []render.Column{
			{Name: "time"}, {Name: "member"}, {Name: "by"}, {Name: "from"}, {Name: "call"}, {Name: "outcome"}, {Name: "request"}, {Name: "error"},
		}}
		for _, v := range list {
			g.Add(v.Time, v.Member, v.By, v.From, v.Call, v.Outcome, v.Request, v.Error)
		}
		return a.write(g, map[string]any{"actions": list})
	})
	return cmd
}
