package workload

import (
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

// work is what one call does: it writes ops, or reads accounts.
type work struct {
	ops      []*ballastv1.Operation
	accounts []string
	stale    bool
}

// call makes one call.
func (g *generator) call() work {
	m := g.config.Mix
	n := -1 // a write
	if m.reads() > 0 {
		n = g.random.IntN(m.reads()+m.writes()) - m.writes()
	}
	if n < 0 {
		ops := make([]*ballastv1.Operation, g.config.Operations)
		for i := range ops {
			ops[i] = g.operation()
		}
		return work{ops: ops}
	}
	accounts := make([]string, g.config.Operations)
	for i := range accounts {
		accounts[i] = AccountID(g.account())
	}
	return work{accounts: accounts, stale: n >= m.Read}
}

func (g *generator) operation() *ballastv1.Operation {
	amount := 1 + g.random.Int64N(maxAmount)
	m := g.config.Mix
	first := g.account()
	switch n := g.random.IntN(m.writes()); {
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

// AccountID names account i of every workload, 0 to 9,999,999. It is called for every account of every operation, so it
// does without fmt.
func AccountID(i int) string {
	id := [...]byte{'b', '0', '0', '0', '0', '0', '0', '0'}
	for at := len(id) - 1; at > 0 && i > 0; at-- {
		id[at] += byte(i % 10)
		i /= 10
	}
	return string(id[:])
}
