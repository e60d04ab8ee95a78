package server

import (
	"time"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/diskspace"
)

// Facts are what a member knows of itself at one moment: raft's and its state machine's numbers, and what each part below
// tells. They are gathered in one place (server/node) and shown in two, the status and the metrics. nil: that part does
// not exist in this member, or has nothing to tell yet.
type Facts struct {
	Raft RaftFacts
	Load LoadFacts
	// CertificateEnds is when this member's own certificate does; zero: it has none.
	CertificateEnds time.Time
	Standing        StandingFacts
	Log             *LogFacts
	Snapshots       *SnapshotFacts
	Install         *InstallFacts
	Transfers       []TransferFacts
	// Sent is what this member has sent to those that catch up since its process started.
	Sent    SentFacts
	Journal *JournalFacts
	// Verdict of the newest comparison of digests.
	Verdict *Verdict
	Scrub   []ScrubFacts
	Disk    *DiskFacts
}

// SentFacts are bytes of pages and records, manifests, and journal.
type SentFacts struct{ Pages, Manifests, Journal uint64 }

// RaftFacts are raft's numbers.
type RaftFacts struct {
	State raft.RaftState
	Term  uint64
	// LeaderKnown: there is a leader, this member perhaps.
	LeaderKnown bool
	// Commit is the newest committed index that this member knows of, Last the end of its log, Applied what its state shows.
	Commit, Last, Applied uint64
	// SinceContact is the time since it heard from a leader, 0 on the leader; negative: never since it started.
	SinceContact time.Duration
	// Voters and NonVoters of the latest configuration; Member: this member is one of them.
	Voters, NonVoters int
	Member            bool
}

// LoadFacts are what waits to be written.
type LoadFacts struct {
	// Operations and Bytes in the queue, and Proposals that raft has.
	Operations, Bytes, Proposals int
}

// LogFacts are the raft log's.
type LogFacts struct {
	// Kind of store: "boltdb" or "wal".
	Kind string
	// First and Last index; 0: the log is empty.
	First, Last uint64
	// Bytes of entries between them.
	Bytes uint64
	// Age of the oldest entry; 0: not known.
	Age time.Duration
	// Pins are how many hold entries back for a member that catches up.
	Pins int
	// Writes are how long writes took until they were on the disk.
	Writes Distribution
}

// Distribution is how long something took, each time that it was done.
type Distribution struct {
	// Count of times, and their Sum.
	Count uint64
	Sum   time.Duration
	// Below counts the times that took less than each bound.
	Below map[time.Duration]uint64
}

// SnapshotFacts are those of the newest snapshot here, and of the taking of snapshots since the process started.
type SnapshotFacts struct {
	// Index and Term; 0: there is none.
	Index, Term uint64
	// Pages of the state, Bytes of them on disk, and Packs that hold them with PackBytes in all.
	Pages, Packs     int
	Bytes, PackBytes uint64
	// At is when it was published; zero: not known.
	At time.Time
	// Taken and Failed count snapshots, Skipped marks at which none was taken: the one before was still being written, or
	// one was being installed.
	Taken, Skipped, Failed uint64
	// Took is how long the last took to write, and Written the bytes of its pack.
	Took    time.Duration
	Written uint64
	// Writing is the index of the one that is being written, 0: none; WritingPages of WritingOf pages have been dealt with.
	Writing, WritingPages, WritingOf uint64
}

// InstallFacts are those of a snapshot on its way: to this member, or, in TransferFacts, to another one.
type InstallFacts struct {
	// Index of the snapshot.
	Index uint64
	// Step is what is being done, in a word or two.
	Step string
	// PagesTotal of the snapshot, PagesDone of them here, PagesReused of those were here before.
	PagesTotal, PagesDone, PagesReused uint64
	// Bytes that came, by where from. BytesManifest came from the leader too, and are counted apart.
	BytesLeader, BytesOthers, BytesManifest uint64
	// Sources are the members that pages come from.
	Sources []string
	// Since is when it began.
	Since time.Time
}

// Bytes are all that came.
func (i InstallFacts) Bytes() uint64 { return i.BytesLeader + i.BytesOthers + i.BytesManifest }

// TransferFacts are those of a snapshot that this member, the leader, sends.
type TransferFacts struct {
	// To is the receiver's name.
	To string
	// Waiting for its turn; else it is running.
	Waiting bool
	InstallFacts
}

// JournalFacts are the journal's.
type JournalFacts struct {
	// Entries and Bytes up to its end, holes included.
	Entries, Bytes uint64
	// Holes are ranges that are not here, MissingEntries and MissingBytes what is in them.
	Holes                        int
	MissingEntries, MissingBytes uint64
	// Source is the member that a hole is being filled from; empty: from none at present.
	Source string
	// Filled bytes of the present hole.
	Filled uint64
}

// ScrubFacts are those of the background check of one thing that is kept.
type ScrubFacts struct {
	// Part is what is checked, in a word.
	Part string
	// Bytes read in the present pass.
	Bytes uint64
	// Passes that are complete, and when the last one was; zero: none is.
	Passes uint64
	Last   time.Time
	// Damaged places found in the present pass, or, where that found none so far, in the one before.
	Damaged uint64
}

// DiskFacts are those of the data directory's file system.
type DiskFacts struct {
	// Free bytes for this process, of Size.
	Free, Size uint64
	// Writable: the last trial write came back well, and not too long ago. Problem says what is wrong where it is not.
	Writable bool
	Problem  string
	// Took is how long the last trial write took.
	Took time.Duration
	// Room is how much there is of it, Low the free bytes below which it is low.
	Room diskspace.Level
	Low  uint64
	// Reserved bytes are kept in the reserve file, of ReserveWanted.
	Reserved, ReserveWanted uint64
}

// ReadRaft gathers raft's numbers, and those of the state machine that it feeds.
func ReadRaft(r Raft, self raft.ServerID, applied uint64) RaftFacts {
	_, leader := r.LeaderWithID()
	f := RaftFacts{
		State: r.State(), Term: r.CurrentTerm(), LeaderKnown: leader != "",
		Commit: r.CommitIndex(), Last: r.LastIndex(), Applied: applied, SinceContact: -1,
	}
	if contact := r.LastContact(); f.State == raft.Leader {
		f.SinceContact = 0
	} else if !contact.IsZero() {
		f.SinceContact = max(time.Since(contact), 0)
	}
	configuration, _, err := latest(r)
	if err != nil { // raft has been shut down
		return f
	}
	for _, s := range configuration.Servers {
		f.Member = f.Member || s.ID == self
		if s.Suffrage == raft.Voter {
			f.Voters++
		} else {
			f.NonVoters++
		}
	}
	return f
}
