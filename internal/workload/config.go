package workload

import (
	"errors"
	"fmt"
	"time"
)

// Bounds of a Config.
const (
	maxCallers    = 100_000
	maxOperations = 8000
	maxRead       = 1000 // accounts of one call
	maxAccounts   = 10_000_000
)

// Config is one workload.
type Config struct {
	// Name that its rows begin with.
	Name string `json:"name"`
	// Accounts that the operations are spread over.
	Accounts int `json:"accounts"`
	// ZipfS makes some accounts busier than others: the exponent of a Zipf distribution, above 1. 0: all alike.
	ZipfS float64 `json:"zipf_s,omitempty"`
	// Mix is how often each kind of operation is chosen.
	Mix Mix `json:"mix"`
	// Callers that call at the same time.
	Callers int `json:"callers"`
	// Operations of each call that writes, accounts of each call that reads (at most 1,000).
	Operations int `json:"operations"`
	// Rate of calls a second, of all callers together (open loop). 0: each caller calls again as soon as it has its
	// answer (closed loop).
	Rate float64 `json:"rate,omitempty"`
	// Warmup runs before anything is measured.
	Warmup time.Duration `json:"warmup_ns"`
	// Duration of what is measured.
	Duration time.Duration `json:"duration_ns"`
	// Seed of the choice of accounts, kinds and amounts. The interleaving of callers is not repeated by it.
	Seed uint64 `json:"seed"`
}

// Mix holds the weights of the kinds of operations. A call either writes or reads: all of its operations are of the one
// sort.
type Mix struct {
	Credit   int `json:"credit,omitempty"`
	Debit    int `json:"debit,omitempty"`
	Transfer int `json:"transfer,omitempty"`
	// Read accounts, linearizable.
	Read int `json:"read,omitempty"`
	// Stale reads, which any member answers with what it has.
	Stale int `json:"stale,omitempty"`
}

func (m Mix) writes() int { return m.Credit + m.Debit + m.Transfer }

func (m Mix) reads() int { return m.Read + m.Stale }

func (m Mix) valid() bool {
	return min(m.Credit, m.Debit, m.Transfer, m.Read, m.Stale) >= 0 && m.writes()+m.reads() > 0
}

// Reads tells whether any call of the workload reads.
func (c *Config) Reads() bool { return c.Mix.reads() > 0 }

// Writes tells whether any call of the workload writes.
func (c *Config) Writes() bool { return c.Mix.writes() > 0 }

// Validate says which field is out of its bounds.
func (c *Config) Validate() error {
	m := c.Mix
	switch {
	case c.Name == "":
		return errors.New("workload: name: empty, expected one")
	case c.Accounts < 1 || c.Accounts > maxAccounts:
		return fmt.Errorf("workload %s: accounts: %d, expected 1 to %d", c.Name, c.Accounts, maxAccounts)
	case c.ZipfS != 0 && !(c.ZipfS > 1):
		return fmt.Errorf("workload %s: zipf_s: %v, expected 0 or above 1", c.Name, c.ZipfS)
	case !m.valid():
		return fmt.Errorf("workload %s: mix: %+v, expected weights of at least 0, one of them above", c.Name, m)
	case m.Transfer > 0 && c.Accounts < 2:
		return fmt.Errorf("workload %s: accounts: 1, expected at least 2 for transfers", c.Name)
	case c.Callers < 1 || c.Callers > maxCallers:
		return fmt.Errorf("workload %s: callers: %d, expected 1 to %d", c.Name, c.Callers, maxCallers)
	case c.Operations < 1 || c.Operations > maxOperations:
		return fmt.Errorf("workload %s: operations: %d, expected 1 to %d", c.Name, c.Operations, maxOperations)
	case c.Reads() && c.Operations > maxRead:
		return fmt.Errorf("workload %s: operations: %d, expected at most %d where calls read", c.Name, c.Operations, maxRead)
	case !(c.Rate >= 0):
		return fmt.Errorf("workload %s: rate: %v, expected at least 0", c.Name, c.Rate)
	case c.Warmup < 0 || c.Duration <= 0:
		return fmt.Errorf("workload %s: duration: %v after %v, expected above 0 after at least 0", c.Name, c.Duration, c.Warmup)
	}
	return nil
}

// Standard is the set that `ballast bench` and `make bench` run: a lone caller, 64 callers with one operation each, and
// a bulk stream.
func Standard(warmup, duration time.Duration) []Config {
	base := Config{
		Accounts: 10_000, Mix: Mix{Credit: 1, Debit: 1, Transfer: 2}, Operations: 1,
		Warmup: warmup, Duration: duration, Seed: 1,
	}
	lone, crowd, bulk := base, base, base
	lone.Name, lone.Callers = "lone", 1
	crowd.Name, crowd.Callers = "callers64", 64
	bulk.Name, bulk.Callers, bulk.Operations = "bulk", 8, 1000
	return []Config{lone, crowd, bulk}
}
