package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// testMember is a member as it answers; nil Status where it does not.
type testMember struct {
	name        string
	state       ballastv1.RaftState
	term        uint64
	applied     uint64
	checkpoints map[uint64]byte
	silent      bool
}

// answersOf are the answers of a cluster that lists all members as voters but the last.
func answersOf(members ...testMember) []client.MemberStatus {
	var list []*ballastv1.Member
	for i, m := range members {
		role := ballastv1.Role_ROLE_VOTER
		if i == 3 {
			role = ballastv1.Role_ROLE_NON_VOTER
		}
		list = append(list, &ballastv1.Member{Id: m.name + "/i", Name: m.name, Role: role, ClientAddress: m.name + ":1"})
	}
	var answers []client.MemberStatus
	for i, m := range members {
		answer := client.MemberStatus{Endpoint: m.name + ":1", Err: errors.New("connection refused")}
		if !m.silent {
			s := &ballastv1.StatusResponse{
				Id: m.name + "/i", Name: m.name, RaftState: m.state, Term: m.term, AppliedIndex: m.applied, CommitIndex: m.applied,
				Members: list, Pid: int64(100 + i),
			}
			for index, digest := range m.checkpoints {
				s.Checkpoints = append(s.Checkpoints, &ballastv1.Checkpoint{Index: index, Digest: []byte{digest}})
			}
			answer.Status, answer.Err = s, nil
		}
		answers = append(answers, answer)
	}
	return answers
}

const (
	leads   = ballastv1.RaftState_RAFT_STATE_LEADER
	follows = ballastv1.RaftState_RAFT_STATE_FOLLOWER
)

func (v *statusView) problems() string { return strings.Join(v.Problems, "\n") }

func TestStatusOfAHealthyCluster(t *testing.T) {
	v := viewStatus(answersOf(
		testMember{name: "b", state: leads, term: 3, applied: 50, checkpoints: map[uint64]byte{20: 2, 30: 3, 40: 4}},
		testMember{name: "a", state: follows, term: 3, applied: 48, checkpoints: map[uint64]byte{30: 3, 20: 2}},
		testMember{name: "c", state: follows, term: 3, applied: 50, checkpoints: map[uint64]byte{40: 4, 30: 3}},
		testMember{name: "d", state: follows, term: 3, applied: 10, checkpoints: map[uint64]byte{30: 3}},
	))
	if v.Leader != "b" || v.Term != 3 || v.DigestIndex != 30 || v.DigestsEqual == nil || !*v.DigestsEqual || len(v.Problems) != 0 {
		t.Fatalf("%+v", v)
	}
	data, err := json.Marshal(v.Members)
	if err != nil {
		t.Fatal(err)
	}
	var members []map[string]any
	if err := json.Unmarshal(data, &members); err != nil {
		t.Fatal(err)
	}
	for i, want := range []map[string]any{
		{"name": "a", "role": "voter", "pid": 101.0, "applied_index": 48.0, "lag_entries": 2.0, "digest": "03", "digest_index": 30.0},
		{"name": "b", "role": "leader", "pid": 100.0, "applied_index": 50.0, "lag_entries": 0.0, "digest": "03", "digest_index": 30.0},
		{"name": "c", "role": "voter", "pid": 102.0, "applied_index": 50.0, "lag_entries": 0.0, "digest": "03", "digest_index": 30.0},
		{"name": "d", "role": "non-voter", "pid": 103.0, "applied_index": 10.0, "lag_entries": 40.0, "digest": "03", "digest_index": 30.0},
	} {
		for key, value := range want {
			if members[i][key] != value {
				t.Errorf("member %d: %s is %v, want %v", i, key, members[i][key], value)
			}
		}
	}
}

func TestStatusWithoutAMajority(t *testing.T) {
	// It still believes that it leads.
	v := viewStatus(answersOf(
		testMember{name: "a", state: leads, term: 3, applied: 5, checkpoints: map[uint64]byte{4: 1}},
		testMember{name: "b", silent: true}, testMember{name: "c", silent: true},
	))
	if v.Leader != "" || v.ReachableVoters != 1 || v.DigestsEqual != nil || v.Members[0].Role != "voter" {
		t.Fatalf("%+v", v)
	}
	for _, want := range []string{"no answer from b, c", "no majority: 1 of 3 voters answer, 2 are needed"} {
		if !strings.Contains(v.problems(), want) {
			t.Errorf("problems lack %q:\n%s", want, v.problems())
		}
	}
	if m := v.Members[1]; m.Reachable || m.PID != nil || m.AppliedIndex != nil || m.Error != "connection refused" {
		t.Errorf("%+v", m)
	}
}

func TestStatusWithTwoLeaders(t *testing.T) {
	v := viewStatus(answersOf(
		testMember{name: "a", state: leads, term: 3, applied: 5}, testMember{name: "b", state: leads, term: 4, applied: 5},
		testMember{name: "c", state: follows, term: 4, applied: 5},
	))
	if v.Leader != "b" || v.Members[0].Role != "voter" || v.Members[1].Role != "leader" {
		t.Fatalf("%+v", v)
	}
}

func TestStatusWithDifferingDigests(t *testing.T) {
	v := viewStatus(answersOf(
		testMember{name: "a", state: leads, term: 3, applied: 5, checkpoints: map[uint64]byte{4: 1}},
		testMember{name: "b", state: follows, term: 3, applied: 5, checkpoints: map[uint64]byte{4: 2}},
		testMember{name: "c", silent: true},
	))
	if v.DigestsEqual == nil || *v.DigestsEqual || !strings.Contains(v.problems(), "states differ at log index 4") {
		t.Fatalf("%+v", v)
	}
}

func TestStatusBeforeBootstrap(t *testing.T) {
	v := viewStatus([]client.MemberStatus{
		{Endpoint: "a:1", Status: &ballastv1.StatusResponse{Id: "a/i", Name: "a", ClientAddress: "a:1"}},
		{Endpoint: "b:1", Err: errors.New("connection refused")},
	})
	if v.Leader != "" || !strings.Contains(v.problems(), "ballast cluster bootstrap") || len(v.Members) != 2 {
		t.Fatalf("%+v", v)
	}
	v = viewStatus([]client.MemberStatus{{Endpoint: "b:1", Err: errors.New("connection refused")}})
	if v.Leader != "" || !strings.Contains(v.problems(), "no member answers") {
		t.Fatalf("%+v", v)
	}
}

func TestStatusExitCodes(t *testing.T) {
	f, s := start(t)
	if r := s.run("status", "--watch=0s"); r.code != exitUsage || !strings.Contains(r.err, "--watch=0s") {
		t.Errorf("watched without a pause: %+v", r)
	}
	if r := s.run("status", "-o", "json"); r.code != exitUnavailable || !strings.Contains(r.out, `"members": [`) {
		t.Errorf("no leader: %+v", r)
	}
	answer := answersOf(testMember{name: "a", state: leads, term: 1, applied: 5})[0].Status
	f.mu.Lock()
	f.status = answer
	f.mu.Unlock()
	if r := s.run("status"); r.code != exitDone || !strings.Contains(r.out, "a leads in term 1; 1 of 1 voters answer") {
		t.Errorf("one leader: %+v", r)
	}
}

// A member that comes back shows what it is at, how much of how much, from whom, how fast and how long; one whose disk or
// memory is damaged is a problem to look at.
func TestStatusOfMembersThatComeBack(t *testing.T) {
	answers := answersOf(
		testMember{name: "a", state: leads, term: 3, applied: 9000}, testMember{name: "b", state: follows, term: 3, applied: 5000},
		testMember{name: "c", state: follows, term: 3, applied: 10}, testMember{name: "d", state: follows, term: 3, applied: 9000},
	)
	a, b, c, d := answers[0].Status, answers[1].Status, answers[2].Status, answers[3].Status
	a.Phase, a.State, a.Lag = ballastv1.Phase_PHASE_SERVING, "leads 4 members in term 3", &ballastv1.Lag{Time: durationpb.New(0)}
	a.Snapshot = &ballastv1.SnapshotStatus{Index: 8000, Term: 3, Age: durationpb.New(90 * time.Second), Pages: 12, Bytes: 3 << 20, Packs: 2, PackBytes: 4 << 20}
	a.Log = &ballastv1.LogStatus{Kind: "boltdb", FirstIndex: 7000, LastIndex: 9000, Bytes: 5 << 20, Age: durationpb.New(time.Hour), Pins: 1}
	a.DigestVerdict = ballastv1.DigestVerdict_DIGEST_VERDICT_AGREED
	pages := &ballastv1.Pages{
		SnapshotIndex: 8000, Step: "pulling", Total: 400, Done: 100, Reused: 40, BytesFromLeader: 512, BytesFromOthers: 1 << 20, BytesOfManifest: 640,
		BytesPerSecond: 3 << 20, Sources: []string{"d"},
	}
	a.Transfers = []*ballastv1.SnapshotTransfer{{To: "c", Pages: pages}}
	b.Phase, b.State, b.Lag = ballastv1.Phase_PHASE_CATCHING_UP_FROM_LOG, "follows a", &ballastv1.Lag{Entries: 4000, Bytes: 8 << 20, Time: durationpb.New(2500 * time.Millisecond)}
	b.CatchUp = &ballastv1.CatchUp{EntriesPerSecond: 1000, Left: durationpb.New(4 * time.Second)}
	c.Phase, c.State = ballastv1.Phase_PHASE_CATCHING_UP_FROM_PAGES, "follows a"
	c.CatchUp = &ballastv1.CatchUp{Left: durationpb.New(61 * time.Second), Pages: pages}
	d.Phase, d.State, d.Drift = ballastv1.Phase_PHASE_BACKFILLING_JOURNAL, "follows a", []string{"log_level"}
	d.Journal = &ballastv1.JournalStatus{Holes: 1, MissingEntries: 70, MissingBytes: 9000, Source: "b"}
	d.Disk = &ballastv1.DiskStatus{FreeBytes: 1, SizeBytes: 100, Problem: "no space left on device"}
	d.Scrubs = []*ballastv1.ScrubStatus{{Part: "packs", Passes: 2, Damaged: 1}}
	v := viewStatus(answers)
	var out strings.Builder
	for _, format := range []render.Format{render.Table, render.CSV, render.JSON} {
		if err := render.Write(&out, format, v.grid(), v); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	golden(t, "status.txt", out.String())
	out.Reset()
	answers[1].Status, answers[1].Err = nil, errors.New("connection refused")
	snapshots := viewSnapshots(answers)
	for _, format := range []render.Format{render.Table, render.CSV, render.JSON} {
		if err := render.Write(&out, format, snapshots.grid(), snapshots); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	golden(t, "snapshots.txt", out.String())
}
