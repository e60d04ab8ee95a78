package journal

import "fmt"

// pieceBytes is how much of a file is written back at once. What is appended lies in memory until the kernel writes it out by
// itself, half a minute's worth in one go, and the log's fsyncs on the same disk wait for that.
const pieceBytes = 256 << 10

// Grown receives a value when there is a new piece for WriteBack. One goroutine may listen.
func (j *Journal) Grown() <-chan struct{} { return j.grown }

// WriteBack has all whole pieces that were appended go to the device, and waits for that: little is left then to the next Sync,
// and nothing to the kernel. Nothing is durable by it. A failure is final: see Append.
func (j *Journal) WriteBack() error {
	for {
		if more, err := j.writeBackPiece(); !more || err != nil {
			return err
		}
	}
}

// writeBackPiece writes back the oldest piece that is whole; more is false where there is none.
func (j *Journal) writeBackPiece() (more bool, err error) {
	j.syncing.Lock() // nobody closes the file meanwhile
	defer j.syncing.Unlock()
	s, from, err := j.nextPiece()
	if s == nil || err != nil {
		return false, err
	}
	if err := s.file.WriteBack(int64(from), int64(j.piece)); err != nil {
		return false, j.fail(fmt.Errorf("write the journal back: %w", err))
	}
	return true, nil
}

// nextPiece takes the oldest piece that is whole; s is nil where there is none. A segment's last bytes are left to Sync.
func (j *Journal) nextPiece() (s *segment, from uint64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, s := range j.segments {
		from := max(s.written, s.synced) / j.piece * j.piece
		if s.file != nil && from+j.piece <= headerLen+s.size {
			s.written = from + j.piece
			return s, from, j.failed
		}
	}
	return nil, 0, j.failed
}

// tellGrown tells who listens that a segment of size bytes grew by n.
func (j *Journal) tellGrown(size, n uint64) {
	if (headerLen+size)/j.piece == (headerLen+size-n)/j.piece {
		return
	}
	select {
	case j.grown <- struct{}{}:
	default: // a value waits already
	}
}
