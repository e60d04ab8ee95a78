package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

func newMembersListCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "Show who the members are",
		Long: "Show every member of the cluster: its name, role, incarnation (of its data directory), how often that was\n" +
			"opened, addresses, how far it is behind, and what it is about. Exits 3 where no member tells.",
		Example: "  ballast members list",
		Args:    args(),
		RunE:    a.bounded(a.listMembers),
	}
}

// listedMember is a member in JSON.
type listedMember struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Incarnation string `json:"incarnation"`
	// Role is "leader", "voter" or "non-voter".
	Role string `json:"role"`
	// StaysNonVoter: it was added to stay one; other non-voters are promoted when they have kept up for a while.
	StaysNonVoter   bool   `json:"stays_non_voter"`
	Boots           uint64 `json:"boots"`
	MemberAddress   string `json:"member_address"`
	ClientAddress   string `json:"client_address"`
	OperatorAddress string `json:"operator_address"`
	Reachable       bool   `json:"reachable"`
	// LagEntries is null where it does not answer.
	LagEntries *uint64 `json:"lag_entries"`
	Phase      string  `json:"phase"`
}

func (a *app) listMembers(ctx context.Context, c *client.Client, _ []string) error {
	answers := c.Operator().StatusOfAll(ctx)
	list := listMembers(answers)
	g := &render.Grid{Columns: []render.Column{
		{Name: "name"},
		{Name: "role"},
		{Name: "lag_entries", Right: true},
		{Name: "phase"},
		{Name: "operator_address"},
		{Name: "member_address"},
		{Name: "client_address"},
		{Name: "incarnation"},
		{Name: "boots", Right: true, Wide: true},
	}}
	for _, m := range list {
		role, phase := m.Role, m.Phase
		if m.StaysNonVoter {
			role += " (stays)"
		}
		if !m.Reachable {
			phase = "does not answer"
		}
		g.Add(m.Name, role, number(m.LagEntries), phase, m.OperatorAddress, m.MemberAddress, m.ClientAddress, m.Incarnation, number(&m.Boots))
	}
	if err := a.write(g, map[string]any{"members": list}); err != nil {
		return err
	}
	if len(list) > 0 {
		return nil
	}
	for _, answer := range answers {
		if answer.Err != nil {
			a.note("%s", inWords(answer.Err))
		}
	}
	a.note("no member tells who the members are")
	return codeError{code: exitUnavailable}
}

// listMembers puts the members' answers together: the newest configuration, with what each member says of itself.
func listMembers(answers []client.MemberStatus) []listedMember {
	status := viewStatus(answers)
	list := []listedMember{}
	for _, m := range newestStatus(answers).GetMembers() {
		_, incarnation, _ := strings.Cut(m.GetId(), "/")
		l := listedMember{
			ID: m.GetId(), Name: m.GetName(), Incarnation: incarnation, StaysNonVoter: m.GetStayNonVoter(), Boots: m.GetBoots(),
			MemberAddress: m.GetMemberAddress(), ClientAddress: m.GetClientAddress(), OperatorAddress: m.GetOperatorAddress(),
		}
		for _, seen := range status.Members {
			if seen.Name == m.GetName() && seen.Role != "unknown" {
				l.Role, l.Reachable, l.LagEntries, l.Phase = seen.Role, seen.Reachable, seen.LagEntries, seen.Phase
			}
		}
		list = append(list, l)
	}
	return list
}
