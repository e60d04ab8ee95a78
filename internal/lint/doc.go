// Package lint holds tests about the source itself: which package may import which (the arrows of docs/architecture.md
// run one way), what the state machine must not use, and habits that no linter knows. It has no code of its own.
package lint
