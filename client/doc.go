// Package client talks to a Ballast cluster.
//
//	c, err := client.New([]string{"127.0.0.1:7401", "127.0.0.1:7402", "127.0.0.1:7403"})
//	...
//	defer c.Close()
//	result, err := c.Credit(ctx, "alice", 500)
//
// A Client is safe for any number of goroutines; make one for a process and share it. It finds the leader and follows
// it, packs the operations of concurrent callers into shared requests, and retries within the caller's deadline (5 s
// where the context has none). It never waits without a bound.
//
// # What a call can end with
//
// A change ends in one of four ways, and a caller must tell them apart:
//
//   - done: no error.
//   - refused: *RefusedError (the one-call helpers), or a Result whose code is not APPLIED (Submit). Final: this attempt
//     never takes effect. To try again on purpose, use the same id with a higher WithAttempt.
//   - not done: ErrNotDone, often together with ErrUnavailable. Nothing of this call was proposed; trying again is safe,
//     with the same ids or new ones.
//   - unknown: ErrUnknownOutcome (*UnknownOutcomeError). It may have taken effect, or may yet. Ask again with the same
//     ids and the same issued_at: at most one of all tries takes effect. Never make a new id for it.
//
// # Ids
//
// Every operation has an id, its idempotency key, and the time at which the id was made (issued_at), which must be the
// same in every retry. UUIDv7s, such as NewID makes, carry that time: for those the client reads issued_at out of
// the id. An id of another form needs WithIssuedAt, with a time that is stored beside the id; without it the call
// ends with ErrInvalid rather than stamping a time that the next retry would not repeat.
//
// # Amounts
//
// Amounts are int64 minor units of the account's ledger. Package amount converts to and from decimal text, exactly.
package client
