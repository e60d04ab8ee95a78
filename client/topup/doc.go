// Package topup charges customers for top-ups: exactly once each, whatever fails.
//
//	       LeaseTopUps            Charge(id)              SettleTopUp
//	store ─────────────▶ worker ─────────────▶ processor
//	  ▲                    │ ◀── succeeded, declined, no idea
//	  └────────────────────┘
//
// A policy on an account (client.SetTopUpPolicy) makes a top-up in the same step in which too little is left; it is agreed on by a
// majority before anybody can see it. A Worker leases top-ups that are due, asks a Processor to charge with the
// top-up's id as the idempotency key, and settles. What the worker relies on, and what follows:
//
//   - The store gives one worker at a time a lease, only with a majority: without one nobody is charged.
//   - The processor charges once for one key, as long as it knows the key. The lease says whether that time may be over:
//     then the worker looks up what became of the charge, and never charges.
//   - Where the answer is lost, at the processor or at the store, nobody knows what happened. Nothing is settled then: the
//     same top-up is leased again later, under the same id, by this worker or another.
//   - A worker keeps nothing. It can be killed at any point, and any number of them run side by side.
//
// The worker charges only while its lease lasts, by its own clock, counted from before it asked for it.
package topup
