// Package server answers callers and operators: the gRPC services, admission, linearizable reads and the duties of a
// leader. It knows raft and the state machine only through the interfaces of ports.go, and the transport not at all.
//
// # Writing
//
//	requests ──► Queue ──► packer ──► raft.Apply ──► completer ──► answers
//	 (many)     bounded   1 goroutine  ≤ 4 in flight  1 goroutine
//
// A request is in one of three states, changed only under the queue's lock:
//
//	waiting   in the queue; whoever removes it first owns it: the packer (→ taken) or its caller whose deadline passed
//	          or whose context ended (→ dropped, answered NOT_DONE)
//	taken     part of a proposal; from here only raft's answer, or UNKNOWN
//	answered  by the completer, with its own slice of the proposal's results
//
// The packer takes a slot (of 4), then waits for requests, then packs all that wait up to 256 KiB and 8,000 operations,
// never splitting a request, and stamps the time last. So a lone request is proposed at once, and under load batches
// grow while the slots are busy, with no timer. raft.Apply is called by the packer alone: requests are proposed in the
// order in which they were admitted.
//
// Bounds: the queue by operations and bytes (past either RESOURCE_EXHAUSTED with a delay), proposals in flight by the
// slots, an unanswered request by its own deadline, and a stream by 1,024 requests and 65,536 operations unanswered,
// past which it is not read (the caller feels flow control).
//
// On streams, requests are read and answers written by hand (wire_*.go): from the frame to the proposal nothing is made for
// an operation. That way knows credits, debits and transfers that are to be admitted. All else of a request, every refusal
// included, is left to the generated code, which reads the whole of it again: a short cut must not have an opinion.
//
// What a failure means is decided in one place, outcome.go: NOT_DONE only where raft surely appended nothing.
//
// # Reading
//
// Reads that wait together share one read-index round (readindex.go); one goroutine runs rounds, one at a time. A read
// that arrives while a round runs waits for the next one, because that round's members were asked before it arrived.
//
// # Leading
//
// One goroutine (termloop.go) does what a new leader owes: one marker command a term, its own addresses in the roster,
// a checkpoint once the state has been idle.
//
// # Being right
//
// At each checkpoint a member compares its state with the others' (comparer.go, verdict.go); outvoted, it serves nothing
// more (Gate.Condemn). A leader that cannot read its snapshot hands over (custodian.go). repair/README.md has the whole.
//
// # Being seen
//
// Facts are what every part tells of itself, gathered by the node; the status and the metrics show them. One goroutine
// (standing.go) compares a member with its leader each second: a follower's own raft knows the commit index only as far as
// its own log goes, so it asks. What the member is about (phase.go), how long it still needs, and whether it is ready
// (ready.go) follow from these.
//
// # Shutting down
//
// In this order: Gate.Close (new requests get NOT_DONE), the node hands leadership over, Coalescer.Drain (bounded),
// raft shuts down, Coalescer.Close. A future that raft never answers (raft.Apply's futures know nothing of shutdown)
// keeps the completer's goroutine until the process ends; Close then answers its requests UNKNOWN and says so.
//
// # Panics
//
// A panic in a handler is fatal to the process (interceptors.go): it may have left a lock held or a pledge broken, a
// restart is always safe, and a member that limps on is not.
package server
