// Package compare measures Ballast beside what it could be and beside its peers: raft alone, raft with the ledger in one
// process, and other stores with the same promise, all on one machine, in one run, taking turns.
//
// A Case is a workload with bars, as data (cases.go). A System is a set of processes, or of members in this process, that
// is started, filled, checked and ended; it has one or more targets, the ways in which it can be asked. Run starts the
// systems, lets the targets of each case take turns, round after round, and returns a Report: rows, a table, a page.
//
//	start all -> fill all -> for each case: for each round: for each target: verify, warm up, measure, verify
//
// A system that is not installed is skipped by name. One whose promise does not hold (a replica that is not attached)
// loses all of its figures, a target whose calls fail (an acknowledgement of nobody) those of that case; and the run fails:
// figures of a set-up that is not the same say nothing.
package compare
