// Package journal keeps the entries of a state machine in an append-only file, cut into segments.
//
//	00000000000000000001.journal   | header 64 bytes | entry | entry | ... |
//	00000000000000731204.journal   | header 64 bytes | entry | entry | ... |
//
// A segment is named by the sequence number of its first entry; its header holds that number, where its first entry is
// in the whole journal, and the hash of the chain before it. docs/formats/journal.md has the tables.
//
// The raft log is the journal's write-ahead log. So an append is one write and no fsync: what a crash tears off is
// written again when the log is replayed, the same bytes to the same places, because where a segment ends depends on
// the entries only. What a snapshot names is made durable by Sync before the snapshot is.
//
// The journal may have holes: where a snapshot of another member was restored whose journal is longer (Place), and where a
// segment was found damaged. A hole is what lies between the end of one segment and the header of the next, so no
// other record of it is kept. It is filled from other members' journals (Fill), behind everything else.
//
// What entries are is the owner's: see Format. The journal knows how long each is and how they chain.
//
// Append, Import, Truncate, Place and Close are for one goroutine at a time; one Filler, and everything else, may go on beside them.
package journal
