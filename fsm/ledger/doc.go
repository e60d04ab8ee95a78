// Package ledger is the accounting of Ballast: state + operation + time -> state + result, and nothing else.
//
//	operation ── Validate ── payload, key ── identity ── evaluate ── commit ── result
//	                                         (ids)       (money)     (pages, entries)
//
// It is deterministic and pure: no clock (time comes with every call), no disk, no goroutine, no order of a map. Two
// States that were fed the same calls have the same bytes in every page. All state lives in records in pages (package
// page, docs/formats/state.md); the indexes from an id to its record are derived by Rebuild.
//
// A State is changed under exclusive access and read under shared access; the caller holds the lock. Nothing that a
// method returns aliases the pages, unless it says so.
package ledger
