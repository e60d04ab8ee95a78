package transport

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"time"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

var (
	// errSnapshotDamaged says that what arrived is not what was sent.
	errSnapshotDamaged = errors.New("snapshot damaged on the way")
	// errInstallBusy refuses a second transfer at the same time.
	errInstallBusy = errors.New("another snapshot is being received; it ends, or is given up, in time")
)

// copy writes the chunks to file until the trailer, and compares size and checksum. Nothing beyond the announced size is
// written.
func (p *snapshotParts) copy(file io.Writer, size int64) error {
	sum, found := crc32.New(castagnoli()), int64(0)
	for {
		m, err := p.next()
		if err != nil {
			return err
		}
		switch part := m.GetPart().(type) {
		case *raftv1.InstallSnapshotRequest_Chunk:
			found += int64(len(part.Chunk))
			if found > size {
				return fmt.Errorf("%w: expected %d bytes, found more", errSnapshotDamaged, size)
			}
			sum.Write(part.Chunk)
			if _, err := file.Write(part.Chunk); err != nil {
				return err
			}
		case *raftv1.InstallSnapshotRequest_End:
			if found != size || part.End.GetSize() != size {
				return fmt.Errorf("%w: expected %d bytes, found %d, sent %d", errSnapshotDamaged, size, found, part.End.GetSize())
			}
			if sum.Sum32() != part.End.GetCrc32C() {
				return fmt.Errorf("%w: expected CRC-32C %08x, found %08x", errSnapshotDamaged, part.End.GetCrc32C(), sum.Sum32())
			}
			return nil
		default:
			return fmt.Errorf("%w: expected a chunk or the trailer, found %T", errSnapshotDamaged, part)
		}
	}
}

// installSlot lets one transfer in at a time. One of a newer term ends an older one that is still being received: its
// leader is no more, and its network may be what stalls it.
type installSlot struct {
	mu   sync.Mutex
	term uint64
	end  context.CancelCauseFunc
	free chan struct{} // closed when the present one is over; nil: none
}

// take waits for the slot, at most for the given time, and returns what releases it.
func (s *installSlot) take(ctx context.Context, term uint64, end context.CancelCauseFunc, wait time.Duration) (func(), error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		free, ok := s.tryTake(term, end)
		if ok {
			return func() { s.release(free) }, nil
		}
		select {
		case <-free:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-timer.C:
			return nil, errInstallBusy
		}
	}
}

// tryTake returns the channel that is closed when the slot's present owner, perhaps the caller, is done.
func (s *installSlot) tryTake(term uint64, end context.CancelCauseFunc) (free chan struct{}, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.free != nil {
		if term > s.term {
			s.end(errInstallSuperseded)
		}
		return s.free, false
	}
	s.free, s.term, s.end = make(chan struct{}), term, end
	return s.free, true
}

func (s *installSlot) release(free chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = nil
	close(free)
}
