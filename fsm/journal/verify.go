package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Verify reads the entries that follow entry from again, in order, and checks the chain, to the end or the first damage. A
// damaged segment is set aside, which leaves a hole, and the error says so: ErrCorrupt, with the segment's and the
// entry's name. next is where to go on, the end where nothing is left. pace is told how many bytes were just read and may
// wait; its error ends Verify. Beside everything else.
func (j *Journal) Verify(ctx context.Context, from uint64, pace func(ctx context.Context, bytes int) error) (next uint64, err error) {
	c := j.Cursor()
	next, err = c.verify(ctx, from, pace)
	return next, errors.Join(err, c.Close())
}

func (c *Cursor) verify(ctx context.Context, at uint64, pace func(context.Context, int) error) (uint64, error) {
	for at < c.j.End().Sequence {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		b, err := c.block(at + 1)
		if err == nil {
			err = c.j.walk(b, func(Position, []byte) {})
		}
		var missing *MissingError
		switch {
		case errors.As(err, &missing):
			at = missing.Hole.Until.Sequence
			continue
		case errors.Is(err, ErrReplaced), errors.Is(err, ErrNotFound):
			return at, nil // what was cut since is written again
		case errors.Is(err, ErrCorrupt), errors.Is(err, os.ErrNotExist):
			return c.j.damagedAfter(at, err)
		case err != nil:
			return at, err
		}
		at = b.to.Sequence
		if err := pace(ctx, len(b.data)); err != nil {
			return at, err
		}
	}
	return at, nil
}

// damagedAfter sets aside the segment that has the entry behind at. next is its last entry.
func (j *Journal) damagedAfter(at uint64, reason error) (next uint64, err error) {
	j.mu.RLock()
	i, gone := j.segmentOf(at + 1)
	if gone != nil {
		j.mu.RUnlock()
		return at, nil
	}
	first, next := j.segments[i].first, j.segments[i].until().Sequence
	j.mu.RUnlock()
	reason = fmt.Errorf("segment %s: %w", segmentName(first, suffix), reason)
	return next, errors.Join(reason, j.condemn(at+1, reason))
}
