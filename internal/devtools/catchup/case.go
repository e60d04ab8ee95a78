package catchup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// Case is one thing to measure.
type Case struct {
	// Name for the command line.
	Name string
	// Summary in one line.
	Summary string
	// accounts unless the options say otherwise, and in a smoke run.
	accounts, smoke int
	run             func(ctx context.Context, r *rig) error
}

// Cases are all cases in the order in which they are best read.
func Cases() []Case {
	return []Case{
		{"retention", "a voter away for less than the log's retention: no snapshot is sent", 1_000_000, 2_000, retention},
		{"one-percent", "beyond the log, 1 % of the accounts changed: bytes on the wire", 1_000_000, 5_000, onePercent},
		{"all-changed", "beyond the log, every account changed: bytes on the wire", 1_000_000, 2_000, allChanged},
		{"storm", "one voter and three non-voters come back at once under load", 1_000_000, 2_000, storm},
		{"storm-empty", "four members with empty disks come at once under load", 1_000_000, 2_000, stormEmpty},
		{"storm-kill", "as storm, and the leader is killed while the others stage", 1_000_000, 5_000, stormKill},
		{"stall", "elections while the disk of a log stalls at full load", 10_000, 1_000, stall},
		{"snapshot", "what a snapshot costs writers and the disk", 10_000_000, 5_000, snapshot},
		{"restart", "seconds to serving and memory for each account after a restart", 10_000_000, 5_000, restart},
		{"damage", "a damaged page, pack, manifest or journal on a follower", 100_000, 2_000, damage},
	}
}

// Options of a run.
type Options struct {
	// Dir is a directory on the disk to measure; the run makes what it needs below it.
	Dir string
	// Accounts in the state; 0: as many as the case says.
	Accounts int
	// Smoke shortens all phases: the run shows that the harness works, and its figures mean nothing.
	Smoke bool
	// Keep leaves the members' directories, logs included.
	Keep bool
	// Log level of the members; "": info.
	LogLevel string
	// Tell is told what goes on, a line at a time.
	Tell func(line string)
}

// ErrUnknownCase is what Run answers to a name that no case has.
var ErrUnknownCase = errors.New("there is no such case")

// Run runs a case. The report has what was measured also where the case failed half-way.
func Run(ctx context.Context, name string, o Options) (*Report, error) {
	cases := Cases()
	i := slices.IndexFunc(cases, func(c Case) bool { return c.Name == name })
	if i < 0 {
		var names []string
		for _, c := range cases {
			names = append(names, c.Name)
		}
		return nil, fmt.Errorf("%w: %q, expected one of %s", ErrUnknownCase, name, strings.Join(names, ", "))
	}
	c := cases[i]
	switch {
	case o.Accounts > 0:
	case o.Smoke:
		o.Accounts = c.smoke
	default:
		o.Accounts = c.accounts
	}
	dir, err := os.MkdirTemp(o.Dir, c.Name+"-")
	if err != nil {
		return nil, err
	}
	r := &rig{Options: o, dir: dir, report: &Report{Case: name, Accounts: o.Accounts, Smoke: o.Smoke}, began: time.Now()}
	err = c.run(ctx, r)
	if err != nil {
		r.tellLogs()
	}
	err = errors.Join(err, r.close())
	if o.Keep {
		r.tell("what the members left is in %s", dir)
	} else {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	r.report.Took = time.Since(r.began)
	return r.report, err
}
