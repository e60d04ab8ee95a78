package backup

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
)

// Writer writes a backup. After an error the stream is of no use. For one goroutine.
type Writer struct {
	to     io.Writer
	sum    hash.Hash
	bytes  uint64
	frames uint64
	last   Kind
}

// NewWriter begins a backup: its header, and what it is about.
func NewWriter(to io.Writer, about About) (*Writer, error) {
	w := &Writer{to: to, sum: sha256.New()}
	content, err := about.encode()
	if err != nil {
		return nil, err
	}
	if err := w.write(header()); err != nil {
		return nil, err
	}
	return w, w.frame(kindAbout, content)
}

// Frame writes one frame: Manifest, Pages or Entries, in this order, each at most MaxFrame long.
func (w *Writer) Frame(kind Kind, content []byte) error {
	if kind < Manifest || kind > Entries || kind < w.last {
		return fmt.Errorf("backup: a frame of %v does not follow one of %v", kind, w.last)
	}
	return w.frame(kind, content)
}

// End ends the backup: without it, it is known to be cut off.
func (w *Writer) End() error {
	le := binary.LittleEndian
	content := le.AppendUint64(make([]byte, 0, endBytes), w.frames)
	content = le.AppendUint64(content, w.bytes)
	return w.frame(kindEnd, w.sum.Sum(content))
}

// Bytes written so far.
func (w *Writer) Bytes() uint64 { return w.bytes }

func (w *Writer) frame(kind Kind, content []byte) error {
	if len(content) > MaxFrame {
		return fmt.Errorf("backup: a frame of %d bytes, at most %d", len(content), MaxFrame)
	}
	if w.last == kindEnd {
		return fmt.Errorf("backup: a frame of %v follows the end", kind)
	}
	w.last = kind
	w.frames++
	if err := w.write(frameHead(kind, content)); err != nil {
		return err
	}
	return w.write(content)
}

func (w *Writer) write(b []byte) error {
	_, _ = w.sum.Write(b) // it never fails
	w.bytes += uint64(len(b))
	_, err := w.to.Write(b)
	return err
}
