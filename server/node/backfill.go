package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/repair"
	"github.com/ballastdb/ballast/transport"
)

// startBackfill fetches what the journal lacks from other members, behind everything else, and has what is appended go to the disk.
func (n *node) startBackfill() error {
	n.undo.pushClose("end writing the journal back", run(n.machine.WriteBackJournal))
	n.backfill = repair.NewBackfill(repair.BackfillConfig{
		Journal: roomyJournal{n.machine, n.roomToTakeIn}, Sources: n.journalSources, Rate: func() uint64 { return n.machine.Upkeep().BackfillRate },
		Logger: n.Logger.Named("backfill"),
	})
	n.undo.pushClose("end fetching what the journal lacks", run(n.backfill.Run))
	return nil
}

// journalSources are the other members, the leader last.
func (n *node) journalSources() []repair.Source {
	future := n.raft.GetConfiguration()
	if future.Error() != nil {
		return nil
	}
	_, leader := n.raft.LeaderWithID()
	var sources, last []repair.Source
	for _, m := range future.Configuration().Servers {
		switch m.ID {
		case n.id:
		case leader:
			last = append(last, n.journalSource(m))
		default:
			sources = append(sources, n.journalSource(m))
		}
	}
	return append(sources, last...)
}

func (n *node) journalSource(m raft.Server) repair.Source {
	return repair.Source{Name: string(m.ID), Fetch: func(ctx context.Context, after uint64, maxBytes int) ([]byte, error) {
		return n.transport.FetchJournal(ctx, m, after, maxBytes)
	}}
}

// journalServer is the journal to other members.
type journalServer struct{ machine *fsm.FSM }

// ReadJournal implements transport.Journal.
func (s journalServer) ReadJournal(after uint64, maxBytes int) ([]byte, error) {
	entries, err := s.machine.ReadJournal(after, maxBytes)
	if errors.Is(err, fsm.ErrMissing) || errors.Is(err, fsm.ErrUnknownEntry) {
		err = fmt.Errorf("%w: %w", transport.ErrNotHere, err)
	}
	return entries, err
}
