package metrics

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/version"
	"github.com/ballastdb/ballast/server"
)

// table lists every metric that is read when it is asked for, part by part.
func table() []pulled {
	var rows []pulled
	for _, part := range [][]pulled{memberTable(), certificateTable(), logTable(), snapshotTable(), catchUpTable(), integrityTable()} {
		rows = append(rows, part...)
	}
	return rows
}

func gauge(name, help string, read func(f *server.Facts, tell put), labels ...string) pulled {
	return pulled{Definition: Definition{name, Gauge, labels, help}, read: read}
}

func counter(name, help string, read func(f *server.Facts, tell put), labels ...string) pulled {
	return pulled{Definition: Definition{name, Counter, labels, help}, read: read}
}

// memberTable is about raft, the state machine's place in the log, and what waits.
func memberTable() []pulled {
	return []pulled{
		gauge("ballast_build_info", "1, with the program's version.", func(_ *server.Facts, tell put) { tell(1, version.String()) }, "version"),
		gauge("ballast_raft_state", "1 for the state that raft is in, 0 for the others.", func(f *server.Facts, tell put) {
			for _, s := range []raft.RaftState{raft.Follower, raft.Candidate, raft.Leader, raft.Shutdown} {
				tell(flag(f.Raft.State == s), stateName(s))
			}
		}, "state"),
		gauge("ballast_raft_term", "The term.", func(f *server.Facts, tell put) { tell(float64(f.Raft.Term)) }),
		gauge("ballast_raft_leader_known", "1 while this member knows a leader, or is it.", func(f *server.Facts, tell put) { tell(flag(f.Raft.LeaderKnown)) }),
		gauge("ballast_raft_last_contact_seconds", "Time since it heard from a leader; 0 on the leader. Absent: never since it started.", func(f *server.Facts, tell put) {
			if f.Raft.SinceContact >= 0 {
				tell(f.Raft.SinceContact.Seconds())
			}
		}),
		gauge("ballast_raft_commit_index", "Newest log index that this member knows to be committed.", func(f *server.Facts, tell put) { tell(float64(f.Raft.Commit)) }),
		gauge("ballast_raft_last_index", "Newest log index that this member has.", func(f *server.Facts, tell put) { tell(float64(f.Raft.Last)) }),
		gauge("ballast_applied_index", "Newest log index that its state shows.", func(f *server.Facts, tell put) { tell(float64(f.Raft.Applied)) }),
		gauge("ballast_members", "Members of the configuration that it has, by role.", func(f *server.Facts, tell put) {
			tell(float64(f.Raft.Voters), "voter")
			tell(float64(f.Raft.NonVoters), "non-voter")
		}, "role"),
		gauge("ballast_queue_operations", "Operations that wait to be proposed.", func(f *server.Facts, tell put) { tell(float64(f.Load.Operations)) }),
		gauge("ballast_queue_bytes", "Their bytes.", func(f *server.Facts, tell put) { tell(float64(f.Load.Bytes)) }),
		gauge("ballast_proposals_in_flight", "Proposals that are being made or are with raft.", func(f *server.Facts, tell put) { tell(float64(f.Load.Proposals)) }),
	}
}

func stateName(s raft.RaftState) string {
	switch s {
	case raft.Follower:
		return "follower"
	case raft.Candidate:
		return "candidate"
	case raft.Leader:
		return "leader"
	default:
		return "shutdown"
	}
}

// logTable is about the raft log.
func logTable() []pulled {
	of := func(value func(l *server.LogFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			if f.Log != nil {
				tell(value(f.Log))
			}
		}
	}
	return []pulled{
		gauge("ballast_log_first_index", "Oldest index that the raft log has; 0: it is empty.", of(func(l *server.LogFacts) float64 { return float64(l.First) })),
		gauge("ballast_log_bytes", "Bytes of its entries.", of(func(l *server.LogFacts) float64 { return float64(l.Bytes) })),
		gauge("ballast_log_age_seconds", "Age of its oldest entry: how long a member may be away and come back without a snapshot.", of(func(l *server.LogFacts) float64 { return l.Age.Seconds() })),
		gauge("ballast_log_pins", "Members for whom entries are held back from being deleted.", of(func(l *server.LogFacts) float64 { return float64(l.Pins) })),
		{
			Definition: Definition{"ballast_log_write_seconds", Histogram, nil, "Time that a write to the raft log took until it was on the disk."},
			distribution: func(f *server.Facts) *server.Distribution {
				if f.Log == nil {
					return nil
				}
				return &f.Log.Writes
			},
		},
	}
}

// age is the time since t in seconds; false where t is not known.
func age(t time.Time) (float64, bool) {
	if t.IsZero() {
		return 0, false
	}
	return max(time.Since(t).Seconds(), 0), true
}
