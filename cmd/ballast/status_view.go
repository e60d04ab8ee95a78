package main

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// memberView is a member in JSON. What only the member itself knows is null or empty where it did not answer.
type memberView struct {
	Name string `json:"name"`
	// Role is "leader" for one member at most, else "voter" or "non-voter"; "unknown" where no configuration names it.
	Role         string  `json:"role"`
	Reachable    bool    `json:"reachable"`
	State        string  `json:"state"`
	PID          *int64  `json:"pid"`
	AppliedIndex *uint64 `json:"applied_index"`
	// LagEntries: how many log entries its state is behind the newest committed one that any member knows of.
	LagEntries *uint64 `json:"lag_entries"`
	// Digest of its state at the status' digest_index.
	Digest      string `json:"digest"`
	DigestIndex uint64 `json:"digest_index"`
	Term        uint64 `json:"term"`
	Version     string `json:"version"`
	// OldestClusterVersion and NewestClusterVersion are what its program applies; of one that does not answer the newest is
	// what its cluster was told last. 0: not known.
	OldestClusterVersion uint32 `json:"oldest_cluster_version"`
	NewestClusterVersion uint32 `json:"newest_cluster_version"`
	ClientAddress        string `json:"client_address"`
	memberDetail
	// Error says why it did not answer.
	Error string `json:"error,omitempty"`

	voter  bool
	status *ballastv1.StatusResponse
	// asked is where it was asked for that, when and how long it took.
	asked client.MemberStatus
}

// statusView is the cluster as all of its members together tell it.
type statusView struct {
	ClusterID string `json:"cluster_id"`
	// RecoveryEpoch counts the cluster's recoveries from a lost majority, in its upper half; 0: there was none.
	RecoveryEpoch uint64 `json:"recovery_epoch"`
	// Leader's name; empty: none that a majority could follow.
	Leader string `json:"leader"`
	Term   uint64 `json:"term"`
	// Voters of the newest configuration, and how many of them answered.
	Voters          int `json:"voters"`
	ReachableVoters int `json:"reachable_voters"`
	// DigestIndex is the newest checkpoint that all members that answered have; 0: there is none.
	DigestIndex uint64 `json:"digest_index"`
	// DigestsEqual is null where there is nothing to compare.
	DigestsEqual *bool `json:"digests_equal"`
	// Operation ids are remembered for this long at present; older ones are refused.
	EffectiveIDWindowSeconds float64       `json:"effective_id_window_seconds"`
	Horizon                  string        `json:"horizon"`
	JournalLength            uint64        `json:"journal_length"`
	ClusterVersion           uint32        `json:"cluster_version"`
	Members                  []*memberView `json:"members"`
	// Problems in words; empty: none.
	Problems []string `json:"problems"`
}

// viewStatus puts the members' answers together.
func viewStatus(answers []client.MemberStatus) *statusView {
	v := &statusView{Members: []*memberView{}, Problems: []string{}}
	newest := newestStatus(answers)
	v.ClusterID, v.RecoveryEpoch, v.Term = newest.GetClusterId(), newest.GetRecoveryEpoch(), newest.GetTerm()
	v.Horizon, v.JournalLength = timetext.Format(newest.GetHorizon()), newest.GetJournalLength()
	v.EffectiveIDWindowSeconds, v.ClusterVersion = newest.GetEffectiveWindow().AsDuration().Seconds(), newest.GetClusterVersion()
	v.listMembers(newest, answers)
	v.findLeader()
	v.measureLag()
	v.compareDigests()
	v.findProblems(newest != nil)
	return v
}

// newestStatus is the answer whose member has seen the most: its configuration counts.
func newestStatus(answers []client.MemberStatus) *ballastv1.StatusResponse {
	var newest *ballastv1.StatusResponse
	for _, a := range answers {
		s := a.Status
		if s == nil {
			continue
		}
		older := newest == nil || len(newest.GetMembers()) == 0 && len(s.GetMembers()) > 0
		if !older && len(s.GetMembers()) > 0 {
			older = s.GetTerm() > newest.GetTerm() || s.GetTerm() == newest.GetTerm() && s.GetAppliedIndex() > newest.GetAppliedIndex()
		}
		if older {
			newest = s
		}
	}
	return newest
}

func (v *statusView) listMembers(newest *ballastv1.StatusResponse, answers []client.MemberStatus) {
	byID := make(map[string]*memberView)
	byAddress := make(map[string]*memberView)
	for _, m := range newest.GetMembers() {
		member := &memberView{
			Name: m.GetName(), Role: "voter", ClientAddress: m.GetClientAddress(), Error: "did not answer",
			NewestClusterVersion: m.GetNewestClusterVersion(),
		}
		if member.voter = m.GetRole() == ballastv1.Role_ROLE_VOTER; !member.voter {
			member.Role = "non-voter"
		} else {
			v.Voters++
		}
		byID[m.GetId()], byAddress[m.GetClientAddress()] = member, member
		v.Members = append(v.Members, member)
	}
	for _, a := range answers {
		if a.Status == nil {
			v.addSilent(byAddress[a.Endpoint], a)
			continue
		}
		member := byID[a.Status.GetId()]
		if member == nil {
			member = &memberView{Name: a.Status.GetName(), Role: "unknown", ClientAddress: a.Status.GetClientAddress()}
			byID[a.Status.GetId()] = member
			v.Members = append(v.Members, member)
		}
		member.answered(a.Status)
		member.asked = a
	}
	slices.SortFunc(v.Members, func(a, b *memberView) int { return strings.Compare(a.Name, b.Name) })
	for _, m := range v.Members {
		if m.voter && m.Reachable {
			v.ReachableVoters++
		}
	}
}

// addSilent notes why an endpoint did not answer. One that the configuration does not know may be another name for a
// member that it does, so it is shown only where there is no configuration.
func (v *statusView) addSilent(member *memberView, a client.MemberStatus) {
	if member == nil && v.Voters > 0 {
		return
	}
	if member == nil {
		member = &memberView{Name: a.Endpoint, Role: "unknown", ClientAddress: a.Endpoint}
		v.Members = append(v.Members, member)
	}
	if !member.Reachable {
		member.Error = inWords(a.Err)
	}
}

func (m *memberView) answered(s *ballastv1.StatusResponse) {
	pid, applied := s.GetPid(), s.GetAppliedIndex()
	m.status, m.Reachable, m.Error = s, true, ""
	m.State, m.PID, m.AppliedIndex, m.Term, m.Version = s.GetState(), &pid, &applied, s.GetTerm(), s.GetVersion()
	m.OldestClusterVersion, m.NewestClusterVersion = s.GetOldestClusterVersion(), s.GetNewestClusterVersion()
	m.memberDetail = viewDetail(s)
	if m.ClientAddress == "" {
		m.ClientAddress = s.GetClientAddress()
	}
}

// findLeader looks for the voter that leads in the newest term. Without a majority beside it, it leads nobody.
func (v *statusView) findLeader() {
	var leader *memberView
	for _, m := range v.Members {
		leads := m.voter && m.status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER
		if leads && (leader == nil || m.Term > leader.Term) {
			leader = m
		}
	}
	if leader != nil && v.hasMajority() {
		leader.Role, v.Leader, v.Term = "leader", leader.Name, leader.Term
	}
}

func (v *statusView) hasMajority() bool { return v.ReachableVoters > v.Voters/2 }

func (v *statusView) measureLag() {
	newest := uint64(0)
	for _, m := range v.Members {
		newest = max(newest, m.status.GetCommitIndex(), m.status.GetAppliedIndex())
	}
	for _, m := range v.Members {
		if m.status != nil {
			lag := newest - m.status.GetAppliedIndex()
			m.LagEntries = &lag
		}
	}
}

// compareDigests finds the newest checkpoint that every member that answered has.
func (v *statusView) compareDigests() {
	digests := make(map[uint64]map[*memberView]string)
	answered := 0
	for _, m := range v.Members {
		if m.status == nil || m.Role == "unknown" {
			continue
		}
		answered++
		for _, c := range m.status.GetCheckpoints() {
			if digests[c.GetIndex()] == nil {
				digests[c.GetIndex()] = make(map[*memberView]string)
			}
			digests[c.GetIndex()][m] = hex.EncodeToString(c.GetDigest())
		}
	}
	for index, of := range digests {
		if len(of) == answered && index > v.DigestIndex {
			v.DigestIndex = index
		}
	}
	if v.DigestIndex == 0 {
		return
	}
	equal, first := true, ""
	for m, digest := range digests[v.DigestIndex] {
		m.Digest, m.DigestIndex = digest, v.DigestIndex
		if first == "" {
			first = digest
		}
		equal = equal && digest == first
	}
	if answered > 1 {
		v.DigestsEqual = &equal
	}
}

func (v *statusView) findProblems(answered bool) {
	add := func(format string, args ...any) { v.Problems = append(v.Problems, fmt.Sprintf(format, args...)) }
	switch {
	case !answered:
		add("no member answers: is the cluster running, and are these its client addresses?")
		return
	case v.Voters == 0:
		add("no cluster has been formed: make the first member with ballast cluster bootstrap --node HOST:PORT (once, on one member)")
		return
	}
	if silent := v.silent(); silent != "" {
		add("no answer from %s: start it again, a restart is always safe; never empty its data directory", silent)
	}
	switch {
	case !v.hasMajority():
		add("no majority: %d of %d voters answer, %d are needed; changes wait until more are back, reads need --stale",
			v.ReachableVoters, v.Voters, v.Voters/2+1)
	case v.Leader == "":
		add("no leader: the members are choosing one, which takes about a second; ask again")
	}
	if v.DigestsEqual != nil && !*v.DigestsEqual {
		add("the members' states differ at log index %d: find out which one is wrong before you restart or remove anything", v.DigestIndex)
	}
	for _, m := range v.Members {
		for _, problem := range m.problems() {
			add("%s: %s", m.Name, problem)
		}
		if m.Reachable && m.Role == "unknown" {
			add("%s at %s runs and is not a member: ballast cluster join --node HOST:PORT adds it", m.Name, m.ClientAddress)
		}
	}
}

func (v *statusView) silent() string {
	var names []string
	for _, m := range v.Members {
		if !m.Reachable && m.Role != "unknown" {
			names = append(names, m.Name)
		}
	}
	return strings.Join(names, ", ")
}

func (v *statusView) window() string {
	window := time.Duration(v.EffectiveIDWindowSeconds * float64(time.Second))
	return window.Round(time.Second).String()
}
