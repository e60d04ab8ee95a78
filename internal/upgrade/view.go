package upgrade

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// view is the cluster at one moment.
type view struct {
	members        []*member // by name, non-voters first
	leader         string    // the name that all who answer agree on; empty: they do not
	clusterVersion uint32
}

// member of the newest configuration.
type member struct {
	name, host string
	voter      bool
	status     *ballastv1.StatusResponse // nil: it does not answer
	err        error
}

// viewOf puts the members' answers together, the configuration of the one that has seen the most first.
func viewOf(answers []client.MemberStatus) (*view, error) {
	var newest *ballastv1.StatusResponse
	byID := map[string]client.MemberStatus{}
	var last error
	for _, a := range answers {
		s := a.Status
		if s == nil {
			last = a.Err
			continue
		}
		byID[s.GetId()] = a
		if len(s.GetMembers()) > 0 && (newest == nil || s.GetTerm() > newest.GetTerm() ||
			s.GetTerm() == newest.GetTerm() && s.GetAppliedIndex() > newest.GetAppliedIndex()) {
			newest = s
		}
	}
	if newest == nil {
		return nil, fmt.Errorf("no member tells who the members are: %w", last)
	}
	v := &view{leader: newest.GetLeader(), clusterVersion: newest.GetClusterVersion()}
	for _, m := range newest.GetMembers() {
		a := byID[m.GetId()]
		v.members = append(v.members, &member{
			name: m.GetName(), host: hostOf(m), voter: m.GetRole() == ballastv1.Role_ROLE_VOTER, status: a.Status, err: a.Err,
		})
	}
	slices.SortFunc(v.members, func(a, b *member) int {
		if a.voter != b.voter {
			return map[bool]int{true: 1, false: -1}[a.voter]
		}
		return strings.Compare(a.name, b.name)
	})
	for _, m := range v.members {
		if m.status != nil && m.status.GetLeader() != v.leader {
			v.leader = ""
		}
	}
	return v, nil
}

// next is the member to upgrade: one that is down already, which must be that of an upgrade that was begun; else a follower; the
// leader when it is the last. nil: all have the version.
func (v *view) next(to string) *member {
	var next *member
	for _, m := range v.members {
		switch {
		case m.status == nil:
			return m
		case is(m.status.GetVersion(), to):
		case next == nil, next.leads(v):
			next = m
		}
	}
	return next
}

func (m *member) leads(v *view) bool { return m.name == v.leader }

// trouble is why no member may be taken down now, that one apart; nil: the cluster is whole.
func (v *view) trouble(apart *member) *string {
	text := ""
	if v.leader == "" {
		text = "the members do not agree on a leader yet"
	}
	for _, m := range v.members {
		if m == apart && m.status == nil {
			continue
		}
		if why := m.unwell(); why != "" {
			text = m.name + " " + why
		}
	}
	if text == "" {
		return nil
	}
	text = "waiting: " + text
	return &text
}

// unwell is why a member could not stand in for another one; empty: it could.
func (m *member) unwell() string {
	switch {
	case m.status == nil && m.err != nil:
		return fmt.Sprintf("does not answer (%v)", m.err)
	case m.status == nil:
		return "does not answer"
	case m.status.GetDigestVerdict() == ballastv1.DigestVerdict_DIGEST_VERDICT_OUTVOTED,
		m.status.GetDigestVerdict() == ballastv1.DigestVerdict_DIGEST_VERDICT_NO_MAJORITY:
		return "has another state than the others: " + m.status.GetDigestVerdictText()
	}
	switch m.status.GetPhase() {
	case ballastv1.Phase_PHASE_SERVING, ballastv1.Phase_PHASE_BACKFILLING_JOURNAL:
		return ""
	}
	return cmp.Or(m.status.GetState(), m.status.GetPhase().String())
}
