// Package e2e tries a cluster of three real ballastd processes as its users and its faults would.
package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
)

// patience bounds every wait for something that will happen.
const patience = time.Minute

// bank is a cluster with a client, one ledger and some accounts, and what the balances must be.
type bank struct {
	t        *testing.T
	cluster  *testcluster.Cluster
	client   *client.Client
	expected map[string]int64
}

func openBank(t *testing.T, options testcluster.Options) *bank {
	t.Helper()
	cluster := testcluster.Start(t, options)
	c, err := client.New(cluster.Endpoints())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	b := &bank{t: t, cluster: cluster, client: c, expected: map[string]int64{}}
	_, err = c.CreateLedger(b.ctx(), "usd", "USD", 6)
	must(t, err)
	for i := range 4 {
		account := fmt.Sprintf("account-%d", i)
		_, err = c.CreateAccount(b.ctx(), account, "usd", client.Limits{})
		must(t, err)
		b.expected[account] = 0
	}
	return b
}

// ctx is a context for one wait.
func (b *bank) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	b.t.Cleanup(cancel)
	return ctx
}

// credit credits accounts in turn, count times, one after the other.
func (b *bank) credit(count int) {
	b.t.Helper()
	for i := range count {
		account := fmt.Sprintf("account-%d", i%len(b.expected))
		_, err := b.client.Credit(b.ctx(), account, int64(i+1))
		must(b.t, err)
		b.expected[account] += int64(i + 1)
	}
}

// bulk credits accounts with many operations in requests of batch.
func (b *bank) bulk(requests, batch int) {
	b.t.Helper()
	for range requests {
		ops := make([]*operation, batch)
		for i := range ops {
			account := fmt.Sprintf("account-%d", i%len(b.expected))
			ops[i] = client.NewCredit(account, 1)
			b.expected[account]++
		}
		results, err := b.client.Submit(b.ctx(), ops...)
		must(b.t, err)
		for i, r := range results {
			must(b.t, client.AsRefusal(ops[i], r))
		}
	}
}

// check reads every balance linearizably.
func (b *bank) check() {
	b.t.Helper()
	for account, want := range b.expected {
		got, err := b.client.Account(b.ctx(), account)
		must(b.t, err)
		if got.Posted != want {
			b.t.Fatalf("%s has %d, want %d", account, got.Posted, want)
		}
	}
}

func (b *bank) leader() *testcluster.Member {
	b.t.Helper()
	leader, err := b.cluster.WaitLeader(b.ctx())
	must(b.t, err)
	return leader
}

// followers are all members but the leader.
func (b *bank) followers() []*testcluster.Member {
	b.t.Helper()
	leader := b.leader()
	var others []*testcluster.Member
	for _, m := range b.cluster.Members {
		if m != leader {
			others = append(others, m)
		}
	}
	return others
}

func (b *bank) checkEqual() {
	b.t.Helper()
	must(b.t, b.cluster.WaitEqual(b.ctx()))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// unavailable tells whether a call ended as it should without a majority.
func unavailable(err error) bool {
	return errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrUnknownOutcome) || errors.Is(err, client.ErrNotDone)
}
