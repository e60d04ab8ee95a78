// Package marks takes snapshots at the same points on all members.
//
// The leader commits snapshot marks, by weight (Cadence). Every member, when it applies the mark at index M, pins its state
// at exactly M, in constant time; its Snapshotter writes what changed since the snapshot before, beside further batches,
// and then has raft ask for a snapshot, which only publishes what is on the disk already.
//
//	leader    Cadence ── proposal "mark" ── raft log
//	                                          │ M
//	member    fsm: pin ─ Marks ─ Snapshotter: Prepare, Write (pages, journal fsync), Seal (pack fsync), Offer
//	                                          │
//	          raft.Snapshot: fsm.Snapshot gives the mark ─ Create ─ Persist ─ Sink.Publish (manifest: the commit point)
//	                                          │
//	          raft notes its own index N >= M; the log store keeps everything from M on
//
// # Why the snapshot is written before raft is asked
//
// Raft records, as the snapshot's index, what it had applied when it asked. To have that be the mark the state machine
// would have to refuse whenever an entry follows the mark, which is nearly always. So the snapshot says M itself, the log
// store keeps what follows M, and raft, which believes in N, never misses anything. Where nothing is prepared Snapshot
// fails: after a success without a newer snapshot raft would think that it can let entries go which no snapshot covers. Raft's
// own timer is off.
//
// # When the next one comes
//
// A member that is still writing skips the next mark, and then lacks the leader's newest snapshot: where every page
// changes from mark to mark it has no page for those that catch up, and the leader must send all. So each member tells the leader, with
// its answers to appends, up to which mark it is done (fsm.Settled: published, given up or skipped, and nothing is being written),
// and a mark that is due waits until a majority of the voters is done with the last. Waited for are only those that answer and whose log
// has that mark; at most a minute. The log grows meanwhile, as it does while the leader itself writes; a bound in bytes
// (twice SnapshotMaxLogBytes was tried) ends the wait just where callers write much, which is when every page changes. Keeping the
// last two snapshots would not help: who skipped a mark has no snapshot of it at all. Offering an older one that another
// member has too would need it kept, and the log behind it.
//
// A mark also comes, due or not, when a member tells that its newest snapshot is damaged on its disk: only a newer one mends that, and
// without load none would be due. One for each damaged snapshot: where it did not help, another would not.
//
// # What ends a mark
//
// A mark is skipped on a member where the one before is still being written, or where another member's snapshot is being
// installed: it has no snapshot of that mark then, and takes the next. An install that is about to happen ends the
// writing and waits until it has ended (fsm.HoldSnapshots): published after it, the older snapshot would have raft move its
// last index back. A shutdown ends it too; nothing waits for a long snapshot. A mark below the newest configuration is not
// published: the configuration would go backwards in replay. The leader commits a mark after each change of it.
//
// # Recovery
//
// Before the manifest is renamed nothing has happened: what was written is swept at the next start. After it the snapshot
// is there, whatever raft has noted. A start loads it, and finds the log from M+1 on.
//
// # What must not use marks
//
// Recovering from a lost majority (raft.RecoverCluster) and raft.Restore empty the log up to their own index: a snapshot
// that records an earlier mark would lose what follows it. They must record the exact index: fsm.PinExact.
//
// # Trade-offs
//
// A member that is slow to write has snapshots of fewer marks than the others, and serves fewer pages to those that catch
// up. A mark costs an entry in the log. Where more of the state changes than SnapshotMaxLogBytes of log bring about (few, large
// tables written at random), snapshots write more than their multiple of the log; the bound keeps restarts short.
package marks
