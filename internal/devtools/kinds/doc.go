// Package kinds measures what applying each kind of operation costs, on one core, beside a plain transfer: the ledger alone,
// without a log, a network or a disk.
package kinds
