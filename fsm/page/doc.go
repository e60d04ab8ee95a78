// Package page keeps state as fixed-size, pointer-free records in 16 KiB pages.
//
//	Space ── Table  slots 0..Len()-1, records are changed in place
//	      └─ Queue  positions Head..Tail-1, appended at the tail, dropped at the head
//
//	page    | record 0 | record 1 | ... | zero padding up to Size |
//	record  | index of the last change, uint64 LE | the owner's bytes |
//
// Every record begins with the index of its last change, every page knows the newest index of its records, so what
// changed since an index is derived and never kept in a bit that must be cleared.
//
// A change goes Begin, write, End. Begin takes the old record out of the digest and preserves it for an open View; End
// stamps the index and adds the new one. Between them the record is "begun"; Digest and View refuse to run then.
//
// Copy-on-write is by record: a View shows the state as it was when it was pinned, for as long as it is open, and costs
// memory only for the records that were changed meanwhile and that it has not read yet.
//
// Nothing here is safe for concurrent use by itself: changes need exclusive access, reads shared access. A View takes a
// shared lock for one page at a time, so that persisting runs beside changes.
//
// The package knows the standard library only, and nothing of money or of raft.
package page
