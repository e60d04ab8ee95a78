package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/client/amount"
)

// A prepaid balance is charged for usage; the second charge is more than what is left.
func Example() {
	_, members, stop := startFake(1) // stands for a cluster; see `ballast dev`
	defer stop()

	c, err := client.New([]string{members[0].address})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	ctx := context.Background()

	if _, err := c.CreateLedger(ctx, "usd", "USD", 2); err != nil {
		log.Fatal(err)
	}
	if _, err := c.CreateAccount(ctx, "alice", "usd", client.Limits{}); err != nil {
		log.Fatal(err)
	}
	if _, err := c.Credit(ctx, "alice", 10_00); err != nil {
		log.Fatal(err)
	}
	result, err := c.Debit(ctx, "alice", 7_50, client.WithReference("call 4711"))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("left:", amount.Format(result.GetAvailable(), 2), "USD")

	_, err = c.Debit(ctx, "alice", 7_50)
	var refused *client.RefusedError
	if errors.As(err, &refused) {
		fmt.Println(err)
	}
	// Output:
	// left: 2.50 USD
	// refused: insufficient funds: account "alice": asked 750, available 250 (minor units)
}

// The id is the idempotency key: made once, stored with the order, and given again in every retry, also by another
// process days later.
func ExampleClient_Credit_retry() {
	store, members, stop := startFake(1)
	defer stop()
	store.balances["alice"] = 0
	c, err := client.New([]string{members[0].address})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()

	id := c.NewID()
	for range 2 {
		result, err := c.Credit(context.Background(), "alice", 500, client.WithID(id))
		switch {
		case errors.Is(err, client.ErrUnknownOutcome):
			// Try again, with the same id.
		case err != nil:
			log.Fatal(err)
		default:
			fmt.Println("applied before:", result.GetReplayed(), "balance:", result.GetAvailable())
		}
	}
	// Output:
	// applied before: false balance: 500
	// applied before: true balance: 500
}
