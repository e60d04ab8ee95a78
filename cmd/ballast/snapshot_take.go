package main

import (
	"context"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

const (
	// takeTimeout bounds the taking of a snapshot where --timeout does not say otherwise.
	takeTimeout = 10 * time.Minute
	// takeProgress is the time between two lines about how far it is.
	takeProgress = time.Second
)

func newSnapshotTakeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "take",
		Short: "Have every member take a snapshot at the same point of the log",
		Long: "Have every member take a snapshot at the same point of the log, though none is due, and wait until the\n" +
			"leader has it, for 10 minutes unless --timeout says otherwise. Members that are busy with an earlier one go\n" +
			"without. Once it has begun it goes on also when this command is interrupted; to repeat it is safe.",
		Example: "  ballast snapshot take\n  ballast snapshot take --timeout 30m",
		Args:    args(),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, _ []string) error {
		timeout := takeTimeout
		if cmd.Flags().Changed("timeout") {
			timeout = a.timeout
		}
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		mark, err := a.markSnapshot(ctx, c)
		if err != nil {
			return operatorError(err)
		}
		index, err := a.awaitSnapshot(ctx, c, mark)
		if err != nil {
			a.note("The snapshot of index %d goes on being written where it has begun; ballast snapshot list shows it.", mark)
			return operatorError(err)
		}
		g := &render.Grid{Columns: []render.Column{{Name: "index"}}}
		g.Add(strconv.FormatUint(index, 10))
		return a.write(g, map[string]uint64{"index": index})
	})
	return cmd
}

// markSnapshot commits the mark, which takes no longer than other calls.
func (a *app) markSnapshot(ctx context.Context, c *client.Client) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	return c.Operator().MarkSnapshot(ctx)
}

// awaitSnapshot waits for the snapshot and says how far it is.
func (a *app) awaitSnapshot(ctx context.Context, c *client.Client, mark uint64) (index uint64, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		index, err = c.Operator().AwaitSnapshot(ctx, mark)
	}()
	tick := time.NewTicker(takeProgress)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return index, err
		case <-tick.C:
			a.noteWriting(ctx, c)
		}
	}
}

// noteWriting says how far the leader's snapshot is. Where nobody can tell it says nothing: whoever waits finds out.
func (a *app) noteWriting(ctx context.Context, c *client.Client) {
	ctx, cancel := context.WithTimeout(ctx, takeProgress)
	defer cancel()
	status, err := c.Operator().LeaderStatus(ctx)
	if w := status.GetSnapshotWriting(); err == nil && w.GetOfPages() > 0 {
		a.note("%s writes the snapshot of index %d: %d of %d pages, %d %%", status.GetName(), w.GetIndex(), w.GetPages(), w.GetOfPages(), 100*w.GetPages()/w.GetOfPages())
	}
}
