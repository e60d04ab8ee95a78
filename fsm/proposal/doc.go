// Package proposal is the format of one raft log entry: what the leader proposes and every member applies.
//
//	| header 24 bytes | body | CRC-32C |
//
// It is hand-coded: a full log is decoded at every start, and every byte of it is written on every member. One value has
// exactly one encoding, so what decodes encodes to the same bytes again. docs/formats/proposal.md has the tables.
//
// A proposal is applied whole or not at all. What does not decode is never skipped: a member that met a kind of a later
// version and went on would hold another state than the others from there, so the caller stops the process.
package proposal
