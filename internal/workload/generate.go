package workload

import (
	"fmt"
	"math/rand/v2"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// maxAmount of one operation, minor units.
const maxAmount = 100

// generator makes the calls of one caller.
type generator struct {
	config *Config
	random *rand.Rand
	zipf   *rand.Zipf // nil: uniform
}

func newGenerator(config *Config, caller int) *generator {
	g := &generator{config: config, random: rand.New(rand.NewPCG(config.Seed, uint64(caller)))}
	if config.ZipfS > 0 {
		g.zipf = rand.NewZipf(g.random, config.ZipfS, 1, uint64(config.Accounts-1))
	}
	return g
}

// call makes the operations of one call.
func (g *generator) call() []*ballastv1.Operation {
	ops := make([]*ballastv1.Operation, g.config.Operations)
	for i := range ops {
		ops[i] = g.operation()
	}
	return ops
}

func (g *generator) operation() *ballastv1.Operation {
	amount := 1 + g.random.Int64N(maxAmount)
	m := g.config.Mix
	first := g.account()
	switch n := g.random.IntN(m.Credit + m.Debit + m.Transfer); {
	case n < m.Credit:
		return client.NewCredit(AccountID(first), amount)
	case n < m.Credit+m.Debit:
		return client.NewDebit(AccountID(first), amount)
	}
	second := g.account()
	if second == first {
		second = (first + 1) % g.config.Accounts
	}
	return client.NewTransfer(AccountID(first), AccountID(second), amount)
}

// account chooses one, 0 to Accounts-1.
func (g *generator) account() int {
	if g.zipf == nil {
		return g.random.IntN(g.config.Accounts)
	}
	return int(g.zipf.Uint64())
}

// AccountID names account i of every workload.
func AccountID(i int) string { return fmt.Sprintf("b%07d", i) }
