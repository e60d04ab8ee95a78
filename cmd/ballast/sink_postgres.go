package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/sink"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const sinkHelp = `Keep tables of a PostgreSQL database (15 or newer) up to date from the feed: ledgers, accounts, holds and
every entry, and the position that they all show. Rows and position are committed together, so each entry
takes effect there exactly once, whatever is killed and whenever; run the same command again. It runs until
it is stopped (Ctrl-C, SIGTERM), or with --once until all that there is now is there. A database that goes
away is waited for, and members are changed as they come and go; what needs a person ends it with 1.

--create makes the tables first, in a schema that must not exist; --print-schema prints what it would run.
docs/books.md describes the tables.`

func newSinkPostgresCommand(a *app) *cobra.Command {
	var config sink.Config
	var create, show bool
	cmd := &cobra.Command{
		Use:   "postgres --connect STRING",
		Short: "Keep tables of a PostgreSQL database up to date, each entry exactly once",
		Long:  sinkHelp,
		Example: "  ballast sink postgres --print-schema\n" +
			"  ballast sink postgres --connect 'host=/run/postgresql dbname=billing' --create",
		Args: args(),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := sink.CheckSchema(config.Schema); err != nil {
			return usagef("--schema: %v", err)
		}
		if show {
			_, err := io.WriteString(a.out, sink.DDL(config.Schema))
			return err
		}
		if config.Connect == "" {
			return usagef("--connect is missing: which database? Such as 'host=/run/postgresql dbname=billing'")
		}
		if config.Batch < 1 || config.Batch > maxSinkBatch {
			return usagef("--batch %d: it must be 1 to %d", config.Batch, maxSinkBatch)
		}
		return a.connected(func(ctx context.Context, c *client.Client, _ []string) error {
			return a.sink(ctx, c, config, create)
		})(cmd, args)
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Connect, "connect", "", "`connection` string of the database; passwords are better kept in PGPASSFILE")
	flags.StringVar(&config.Schema, "schema", sink.DefaultSchema, "`name` of the schema that the tables are in")
	flags.BoolVar(&create, "create", false, "make the schema and its tables first")
	flags.BoolVar(&show, "print-schema", false, "print the statements that make the tables, and do nothing else")
	flags.BoolVar(&config.Once, "once", false, "end when the tables show all that there is")
	flags.IntVar(&config.Batch, "batch", 5000, "`entries` of a transaction, about, while there are many")
	return cmd
}

// maxSinkBatch bounds what a transaction keeps in memory.
const maxSinkBatch = 100_000

// sink runs a sink until it is stopped.
func (a *app) sink(ctx context.Context, c *client.Client, config sink.Config, create bool) error {
	var err error
	if config.ClusterID, err = clusterOf(ctx, c); err != nil {
		return err
	}
	config.Logger = hclog.New(&hclog.LoggerOptions{Name: "sink", Output: a.err})
	if create {
		if err := sink.Create(ctx, withTimeout(config)); err != nil {
			return codeError{code: exitFailed, err: err}
		}
		a.note("schema %s is made for cluster %s", config.Schema, config.ClusterID)
	}
	told := time.Now()
	at, begun := uint64(0), false
	config.Progress = func(position, newest uint64) {
		at = position
		if !begun || time.Since(told) >= tellPosition {
			a.note("entry %d of %d", position, newest)
			told, begun = time.Now(), true
		}
	}
	if err := sink.Run(ctx, feed{c}, *withTimeout(config)); err != nil {
		if errors.Is(err, client.ErrUnavailable) && !errors.Is(err, sink.ErrOtherCluster) {
			return codeError{code: exitUnavailable, err: err}
		}
		return codeError{code: exitFailed, err: err}
	}
	a.note("the tables show everything up to entry %d", at)
	return nil
}

// tellPosition is how often a running sink says how far it is.
const tellPosition = time.Minute

// sinkTimeout bounds connecting to the database, and each transaction.
const sinkTimeout = 30 * time.Second

func withTimeout(c sink.Config) *sink.Config {
	c.Timeout = sinkTimeout
	return &c
}

// clusterOf is the UUID of the cluster, as the first member that answers says.
func clusterOf(ctx context.Context, c *client.Client) (string, error) {
	var failed error
	for _, m := range lookAround(ctx, c) {
		if id := m.Status.GetClusterId(); id != "" {
			return id, nil
		}
		failed = errors.Join(failed, m.Err)
	}
	return "", codeError{code: exitUnavailable, err: fmt.Errorf("no member says which cluster this is: %w", failed)}
}

// feed is the client library as a sink sees it.
type feed struct{ c *client.Client }

// Watch is sink.Feed's.
func (f feed) Watch(ctx context.Context, from client.Position) iter.Seq2[*ballastv1.WatchResponse, error] {
	return f.c.Watch(ctx, client.From(from))
}
