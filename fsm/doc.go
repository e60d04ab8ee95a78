// Package fsm is the state machine that raft drives: it applies committed proposals to the books, writes the journal,
// and takes and restores snapshots.
//
//	raft ── ApplyBatch ── proposal.Decoder ── state ── ledger.State   accounts, operation ids, settings
//	     │                                       │   ├─ roster         members' addresses
//	     │                                       │   ├─ cluster        cluster version, marker
//	     │                                       │   └─ checkpoints    digests of the whole state
//	     │                                       └── journal.Journal  entries
//	     ├─ Snapshot ── Persist: the pages that changed (docs/formats/snapshot.md), to a PageSink
//	     └─ Restore ── a fresh state from a PageSource, or the one that a Receiver built, verified, then swapped in
//
// All of the state is pages of one page.Space, and so covered by one digest. Every member has the same bytes in them at
// the same log index.
//
// What must not happen never happens halfway: a proposal that this program does not know, or cannot read, stops the
// process before anything of it is applied (Config.Fatal).
//
// The package knows nothing of gRPC, of the transport, or of who leads.
package fsm
