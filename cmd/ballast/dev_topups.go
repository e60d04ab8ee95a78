package main

import (
	"context"
	"fmt"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/topup"
)

// chargeSimulated charges for top-ups at a processor that charges nobody, until it is stopped.
func chargeSimulated(ctx context.Context, c *client.Client, tell func(string)) (stop func(), err error) {
	worker, err := topup.New(topup.Config{
		Store: c, Name: "ballast dev",
		Processor: talking{topup.NewSimulated(topup.SimulatedConfig{DeclinePercent: 10, LostPercent: 5, AnswerLostPercent: 5}), tell},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		worker.Run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}, nil
}

// talking is a processor that says what it does.
type talking struct {
	*topup.Simulated
	tell func(string)
}

func (p talking) Charge(ctx context.Context, c topup.Charge) (topup.Outcome, error) {
	outcome, err := p.Simulated.Charge(ctx, c)
	became := map[topup.Status]string{topup.Succeeded: "charged", topup.Declined: "declined", topup.Unknown: "no answer"}[outcome.Status]
	p.tell(fmt.Sprintf("simulated processor: top-up %s of account %q, %s: %s", c.ID, c.Account,
		denomination{ledger: c.Ledger, scale: c.Scale}.format(c.Amount), became))
	return outcome, err
}
