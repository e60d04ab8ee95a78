package doctor

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

var at = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// well is a cluster of three in which nothing is wrong; node-1 leads.
func well() *Evidence {
	e := &Evidence{At: at, Leader: "node-1", Own: &ballastv1.Certificate{Identity: "ballast://c/operator/me", NotAfter: at.Add(365 * day).UnixNano()}}
	for i := range 3 {
		e.Members = append(e.Members, wellMember(fmt.Sprintf("node-%d", i+1)))
	}
	leader := e.Members[0].Status
	leader.RaftState = ballastv1.RaftState_RAFT_STATE_LEADER
	leader.Clock.Cluster, leader.Clock.Median = at.UnixNano(), at.UnixNano()
	for _, m := range e.Members {
		for _, o := range e.Members {
			if o == m {
				continue
			}
			for _, way := range []ballastv1.Way{ballastv1.Way_WAY_MEMBER, ballastv1.Way_WAY_CLIENT, ballastv1.Way_WAY_OPERATOR} {
				m.Examination.Reaches = append(m.Examination.Reaches, &ballastv1.Reach{Name: o.Name, Way: way, Address: o.Name + ":1", Took: durationpb.New(2 * time.Millisecond)})
			}
		}
	}
	return e
}

func wellMember(name string) *Member {
	m := &Member{Name: name, Listed: true, Voter: true, Asked: at, Took: 2 * time.Millisecond}
	m.Status = &ballastv1.StatusResponse{
		Name: name, ClusterId: "c", Version: "0.1.0", ClusterVersion: 1, NewestClusterVersion: 1, OperatorAddress: name + ":3",
		Phase: ballastv1.Phase_PHASE_SERVING, DigestVerdict: ballastv1.DigestVerdict_DIGEST_VERDICT_AGREED, State: "follows node-1 in term 2",
		Clock: &ballastv1.ClockStatus{Own: at.Add(time.Millisecond).UnixNano()},
		Disk:  &ballastv1.DiskStatus{FreeBytes: 30 << 30, SizeBytes: 40 << 30, Room: ballastv1.DiskRoom_DISK_ROOM_AMPLE},
	}
	m.Examination = &ballastv1.ExamineResponse{
		Name: name, Disk: &ballastv1.DiskTrial{Writes: 16, Median: durationpb.New(time.Millisecond), Slowest: durationpb.New(3 * time.Millisecond)},
		Certificates: []*ballastv1.Certificate{
			{Identity: "ballast://c/member/" + name, NotBefore: at.Add(-day).UnixNano(), NotAfter: at.Add(365 * day).UnixNano(), Serial: "1"},
			{Identity: "Ballast c", Authority: true, NotBefore: at.Add(-day).UnixNano(), NotAfter: at.Add(3650 * day).UnixNano(), Serial: "2"},
		},
		Configuration: []*ballastv1.ConfigurationValue{{Key: "heartbeat_timeout", Value: "500ms", Origin: "default"}, {Key: "log_level", Value: "info", Origin: "file x"}},
		Formats:       []*ballastv1.Format{{Name: "snapshot", Version: 1}},
	}
	return m
}

// silence has a member answer nobody.
func silence(e *Evidence, name string) {
	for _, m := range e.Members {
		if m.Name == name {
			m.Status, m.Err, m.Examination = nil, "connection refused", nil
			continue
		}
		if m.Examination == nil {
			continue
		}
		for _, r := range m.Examination.GetReaches() {
			if r.GetName() == name {
				r.Took, r.Error = nil, "connection refused"
			}
		}
	}
}

func lose(m *Member, to string, ways ...ballastv1.Way) {
	for _, r := range m.Examination.GetReaches() {
		if r.GetName() == to && slices.Contains(ways, r.GetWay()) {
			r.Took, r.Error = nil, "no answer within 2s"
		}
	}
}

// story is one thing that is wrong, and what must be found.
type story struct {
	check    string
	severity Severity
	member   string
	what     string // in What
	spoil    func(e *Evidence, m []*Member)
	besides  []string // other checks that find it too
}

func stories() []story {
	return []story{
		{"nobody-answers", Critical, "", "connection refused", func(e *Evidence, m []*Member) {
			for i := range m {
				silence(e, m[i].Name)
			}
		}, nil},
		{"no-cluster", Warning, "", "no cluster has been formed", func(e *Evidence, m []*Member) {
			for _, m := range m {
				m.Listed, m.Voter = false, false
			}
		}, nil},
		{"member-silent", Warning, "node-3", "connection refused", func(e *Evidence, _ []*Member) { silence(e, "node-3") }, []string{"no-spare"}},
		{"member-silent", Warning, "node-3", "node-1, node-2 reach it: it is the way from here", func(_ *Evidence, m []*Member) {
			m[2].Status, m[2].Err, m[2].Examination = nil, "no answer", nil
		}, []string{"no-spare"}},
		{"not-a-member", Note, "node-4", "is not a member", func(e *Evidence, _ []*Member) {
			stranger := wellMember("node-4")
			stranger.Listed, stranger.Voter = false, false
			e.Members = append(e.Members, stranger)
		}, nil},
		{"no-majority", Critical, "", "1 of 3 voters answer, 2 are needed", func(e *Evidence, _ []*Member) {
			silence(e, "node-2")
			silence(e, "node-3")
			e.Leader = ""
		}, []string{"member-silent", "member-silent"}},
		{"no-leader", Critical, "", "none leads", func(e *Evidence, _ []*Member) { e.Leader = "" }, nil},
		{"no-spare", Warning, "", "the next failure stops writes", func(e *Evidence, _ []*Member) { silence(e, "node-2") }, []string{"member-silent"}},
		{"alone", Warning, "", "the only copy", func(e *Evidence, m []*Member) { e.Members, m[0].Examination.Reaches = m[:1], nil }, nil},
		{"two-voters", Warning, "", "both are needed", func(e *Evidence, m []*Member) { e.Members = m[:2] }, nil},
		{"even-voters", Note, "", "4 voters survive as many failures as 3", func(e *Evidence, _ []*Member) { e.Members = append(e.Members, wellMember("node-4")) }, nil},
		{"two-clusters", Critical, "", "c of node-1, node-2; d of node-3", func(_ *Evidence, m []*Member) { m[2].Status.ClusterId = "d" }, nil},
		{"two-histories", Critical, "", "0 of node-1, node-2; 7 of node-3", func(_ *Evidence, m []*Member) { m[2].Status.RecoveryEpoch = 7 }, nil},
		{"digests-differ", Critical, "", "at log index 40", func(e *Evidence, _ []*Member) { e.DigestsDiffer, e.DigestIndex = true, 40 }, nil},
		{"diverged", Critical, "node-2", "not that of the majority", func(_ *Evidence, m []*Member) { m[1].Status.Phase = ballastv1.Phase_PHASE_DIVERGED }, nil},
		{"diverged", Critical, "node-2", "not that of the majority", func(_ *Evidence, m []*Member) {
			m[1].Status.DigestVerdict = ballastv1.DigestVerdict_DIGEST_VERDICT_OUTVOTED
		}, nil},
		{"no-truth", Critical, "node-2", "writes have stopped", func(_ *Evidence, m []*Member) {
			m[1].Status.DigestVerdict = ballastv1.DigestVerdict_DIGEST_VERDICT_NO_MAJORITY
		}, nil},
		{"follows-nobody", Warning, "node-2", "node-1 leads, and it hears from no leader", func(_ *Evidence, m []*Member) { m[1].Status.Phase = ballastv1.Phase_PHASE_NO_LEADER }, nil},
		{"catching-up", Note, "node-2", "it follows", func(_ *Evidence, m []*Member) { m[1].Status.Phase = ballastv1.Phase_PHASE_CATCHING_UP_FROM_PAGES }, nil},
		{"stopping", Note, "node-2", "it follows", func(_ *Evidence, m []*Member) { m[1].Status.Phase = ballastv1.Phase_PHASE_STOPPING }, nil},
		{"damaged", Critical, "node-2", "2 damaged places in its journal", func(_ *Evidence, m []*Member) {
			m[1].Status.Scrubs = []*ballastv1.ScrubStatus{{Part: "packs"}, {Part: "journal", Damaged: 2}}
		}, nil},
		{"not-examined", Note, "node-2", "there is no call", func(_ *Evidence, m []*Member) { m[1].Examination, m[1].ExamineErr = nil, "there is no call Examine" }, nil},
		{"clock-off", Warning, "node-2", "1h0m0s ahead of the others'", func(_ *Evidence, m []*Member) { m[1].Status.Clock.Own += int64(time.Hour) }, nil},
		{"clock-off", Warning, "node-1", "3s behind the others'", func(_ *Evidence, m []*Member) { m[0].Status.Clock.Own -= int64(3 * time.Second) }, nil},
		{"clocks-disagree", Critical, "", "of 3 clocks only 1 are within 2s", func(_ *Evidence, m []*Member) {
			m[0].Status.Clock.Own += int64(time.Hour)
			m[1].Status.Clock.Own -= int64(time.Hour)
		}, []string{"clock-off", "clock-off"}},
		{"caller-clock", Warning, "", "the clock of this machine is 1m0s behind the members'", func(_ *Evidence, m []*Member) {
			for _, m := range m {
				m.Asked = m.Asked.Add(-time.Minute)
			}
		}, nil},
		{"log-time-behind", Warning, "node-1", "1h0m0s behind", func(_ *Evidence, m []*Member) { m[0].Status.Clock.Cluster -= int64(time.Hour) }, nil},
		{"log-time-ahead", Warning, "node-1", "1h0m0s ahead", func(_ *Evidence, m []*Member) { m[0].Status.Clock.Cluster += int64(time.Hour) }, nil},
		{"disk-not-writable", Critical, "node-2", "input/output error", func(_ *Evidence, m []*Member) { m[1].Status.Disk.Problem = "input/output error" }, nil},
		{"disk-not-writable", Critical, "node-2", "did not come back", func(_ *Evidence, m []*Member) {
			m[1].Examination.Disk = &ballastv1.DiskTrial{Problem: "a trial write did not come back for 3s"}
		}, nil},
		{"disk-slow", Warning, "node-2", "took 40ms or longer, the slowest 90ms", func(_ *Evidence, m []*Member) { writes(m[1], 40, 90) }, nil},
		{"disk-slow", Critical, "node-2", "took 300ms or longer", func(_ *Evidence, m []*Member) { writes(m[1], 300, 900) }, nil},
		{"disk-slow", Note, "node-2", "and 1ms on the others", func(_ *Evidence, m []*Member) { writes(m[1], 6, 9) }, nil},
		{"disk-low", Warning, "node-2", "10.0 MiB free", func(_ *Evidence, m []*Member) { room(m[1], ballastv1.DiskRoom_DISK_ROOM_LOW) }, nil},
		{"disk-low", Critical, "node-2", "nearly full", func(_ *Evidence, m []*Member) { room(m[1], ballastv1.DiskRoom_DISK_ROOM_TIGHT) }, nil},
		{"disk-low", Critical, "node-2", "takes no more of the log", func(_ *Evidence, m []*Member) { room(m[1], ballastv1.DiskRoom_DISK_ROOM_FULL) }, nil},
		{"certificate-ending", Warning, "node-2", "ends in 12 days", func(_ *Evidence, m []*Member) { ends(m[1], 0, 12*day+time.Hour) }, nil},
		{"certificate-ending", Critical, "node-2", "ends in 26h0m0s", func(_ *Evidence, m []*Member) { ends(m[1], 0, 26*time.Hour) }, nil},
		{"certificate-ending", Critical, "node-2", "not in force yet", func(_ *Evidence, m []*Member) {
			m[1].Examination.Certificates[0].NotBefore = at.Add(time.Hour).UnixNano()
		}, nil},
		{"certificate-ended", Critical, "node-2", "ended 3 days ago", func(_ *Evidence, m []*Member) { ends(m[1], 0, -3*day) }, nil},
		{"authority-ending", Warning, "", "serial 2, ends in 60 days; believed by node-1, node-2, node-3", func(_ *Evidence, m []*Member) {
			for _, m := range m {
				ends(m, 1, 60*day)
			}
		}, nil},
		{"authority-ending", Critical, "", "believed by node-2", func(_ *Evidence, m []*Member) { ends(m[1], 1, 20*day); m[1].Examination.Certificates[1].Serial = "9" }, nil},
		{"own-certificate-ending", Warning, "", "your own certificate", func(e *Evidence, _ []*Member) { e.Own.NotAfter = at.Add(5 * day).UnixNano() }, nil},
		{"certificate-files", Warning, "node-2", "would not start again with the certificates' files", func(_ *Evidence, m []*Member) { m[1].Examination.CertificatesProblem = "no such file" }, nil},
		{"certificates-not-loaded", Note, "node-2", "newer than what it uses", func(_ *Evidence, m []*Member) { m[1].Examination.CertificatesChanged = true }, nil},
		{"not-secured", Note, "", "not secured", func(_ *Evidence, m []*Member) {
			for _, m := range m {
				m.Examination.Certificates = nil
			}
		}, nil},
		{"unreachable", Warning, "node-2", "does not reach node-3: member address node-3:1 (no answer within 2s)", func(_ *Evidence, m []*Member) {
			lose(m[1], "node-3", ballastv1.Way_WAY_MEMBER)
		}, nil},
		{"unreachable", Critical, "node-2", "does not reach node-1", func(_ *Evidence, m []*Member) { lose(m[1], "node-1", ballastv1.Way_WAY_MEMBER) }, nil},
		{"unreachable", Warning, "node-1", "client address node-3:1 (no answer within 2s); operator address", func(_ *Evidence, m []*Member) {
			lose(m[0], "node-3", ballastv1.Way_WAY_CLIENT, ballastv1.Way_WAY_OPERATOR)
		}, nil},
		{"slow-way", Note, "node-1", "800ms to reach node-2", func(_ *Evidence, m []*Member) {
			m[0].Examination.Reaches[0].Took = durationpb.New(800 * time.Millisecond)
		}, nil},
		{"drift", Warning, "node-2", `log_level was "debug", is "info" (file x)`, func(_ *Evidence, m []*Member) {
			v := m[1].Examination.GetConfiguration()[1]
			v.Drifted, v.LastGood = true, "debug"
		}, nil},
		{"configuration-refused", Warning, "node-2", "unknown key", func(_ *Evidence, m []*Member) { m[1].Examination.ConfigurationProblem = "unknown key" }, nil},
		{"configuration-pending", Note, "node-2", `log_level is "info", will be "warn"`, func(_ *Evidence, m []*Member) {
			v := m[1].Examination.GetConfiguration()[1]
			v.Changed, v.Pending = true, "warn"
		}, nil},
		{"configured-unlike", Warning, "", "heartbeat_timeout is not the same everywhere: 1s of node-2; 500ms of node-1, node-3", func(_ *Evidence, m []*Member) {
			m[1].Examination.GetConfiguration()[0].Value = "1s"
		}, nil},
		{"programs-differ", Note, "", "0.1.0 of node-1, node-3; 0.2.0 of node-2", func(_ *Evidence, m []*Member) { m[1].Status.Version = "0.2.0" }, nil},
		{"version-behind", Note, "", "at version 1, and every member's program applies 2", func(_ *Evidence, m []*Member) {
			for _, m := range m {
				m.Status.NewestClusterVersion = 2
			}
		}, nil},
		{"formats-differ", Note, "", "snapshot 1 of node-1, node-3; snapshot 2 of node-2", func(_ *Evidence, m []*Member) { m[1].Examination.Formats[0].Version = 2 }, nil},
	}
}

func writes(m *Member, median, slowest time.Duration) {
	m.Examination.Disk = &ballastv1.DiskTrial{Writes: 16, Median: durationpb.New(median * time.Millisecond), Slowest: durationpb.New(slowest * time.Millisecond)}
}

func room(m *Member, r ballastv1.DiskRoom) {
	m.Status.Disk.Room, m.Status.Disk.FreeBytes = r, 10<<20
}

func ends(m *Member, certificate int, left time.Duration) {
	m.Examination.Certificates[certificate].NotAfter = at.Add(left).UnixNano()
}

// Where nothing is wrong nothing is found.
func TestNothingIsWrong(t *testing.T) {
	if found := Judge(well()); len(found) > 0 || Worst(found) != 0 {
		t.Errorf("found %+v", found)
	}
}

// Each thing that can be wrong is found as itself, with nothing besides but what the row names, and with what to do and what not to.
func TestFindings(t *testing.T) {
	for _, s := range stories() {
		t.Run(fmt.Sprint(s.check, " ", s.severity, " ", s.member), func(t *testing.T) {
			e := well()
			s.spoil(e, e.Members)
			var besides []string
			hit := false
			found := Judge(e)
			for _, f := range found {
				if f.What == "" || f.Do == "" || !strings.HasPrefix(f.DoNot, "do not ") {
					t.Errorf("it does not say what, what to do and what not: %+v", f)
				}
				if f.Page != "" {
					if _, err := os.Stat("../../" + f.Page); err != nil {
						t.Errorf("%s: %v", f.Check, err)
					}
				}
				if !hit && f.Check == s.check && f.Severity == s.severity && f.Member == s.member && strings.Contains(f.What, s.what) {
					hit = true
					continue
				}
				besides = append(besides, f.Check)
			}
			if !hit {
				t.Errorf("not found, but %+v", found)
			}
			slices.Sort(besides)
			if !slices.Equal(besides, s.besides) && !(len(besides) == 0 && len(s.besides) == 0) {
				t.Errorf("besides it found %q, want %q", besides, s.besides)
			}
			if !slices.IsSortedFunc(found, func(a, b Finding) int { return int(b.Severity - a.Severity) }) {
				t.Errorf("not the worst first: %+v", found)
			}
		})
	}
}

var documented = regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\| (note|warning|critical)")

// docs/doctor.md and the stories name the same checks.
func TestChecksAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var inDocument, inStories []string
	for _, row := range documented.FindAllStringSubmatch(string(text), -1) {
		inDocument = append(inDocument, row[1])
	}
	for _, s := range stories() {
		if !slices.Contains(inStories, s.check) {
			inStories = append(inStories, s.check)
		}
	}
	slices.Sort(inDocument)
	slices.Sort(inStories)
	if !slices.Equal(inDocument, inStories) {
		t.Errorf("docs/doctor.md has\n%q\nthe stories have\n%q", inDocument, inStories)
	}
}
