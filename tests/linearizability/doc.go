// Package linearizability runs clients against a real cluster under faults and checks what they were told: the nemesis.
// README.md says what is recorded, modelled and injected, and what a seed repeats.
package linearizability
