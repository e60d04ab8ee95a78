package logstore

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/hashicorp/raft-wal/types"

	"github.com/ballastdb/ballast/internal/guard"
)

// finishRotation does what raft-wal v0.4.2 leaves undone where the process ends between the append that fills a segment and the
// note, made in the background, that the next one follows: it would open that log, and refuse every append to it for ever.
// What is done here is what the rotation would have done; the next segment's file is made when the log is opened.
func finishRotation(dir string, meta types.MetaStore, files types.SegmentFiler) error {
	state, err := meta.Load(dir)
	if err != nil || len(state.Segments) == 0 || !guard.On("wal-sealed") {
		return err
	}
	last := &state.Segments[len(state.Segments)-1]
	if !last.SealTime.IsZero() {
		return nil
	}
	tail, err := files.RecoverTail(*last)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it was never made
	}
	if err != nil {
		return fmt.Errorf("look at the newest segment: %w", err)
	}
	sealed, indexStart, err := tail.Sealed()
	end := tail.LastIndex()
	if err := errors.Join(err, tail.Close()); err != nil || !sealed {
		return err
	}
	now := time.Now()
	next := types.SegmentInfo{
		ID: state.NextSegmentID, BaseIndex: end + 1, MinIndex: end + 1, SizeLimit: last.SizeLimit, Codec: last.Codec, CreateTime: now,
	}
	last.SealTime, last.MaxIndex, last.IndexStart = now, end, indexStart
	state.Segments = append(state.Segments, next)
	state.NextSegmentID++
	return meta.CommitState(state)
}
