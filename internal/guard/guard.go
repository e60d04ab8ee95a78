// Package guard names our mitigations of what is known to be wrong in the libraries we stand on, so that each can be
// built out and its test seen to fail.
//
// In a normal build On is the constant true and the compiler removes the question. With the build tag "unguarded" the
// one guard named by BALLAST_UNGUARD is off; `make guards` goes through all rows of docs/testing.md that way.
package guard

// Name of a guard, as the first column of the table in docs/testing.md.
type Name string
