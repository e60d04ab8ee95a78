package logstore

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/durable"
)

const (
	// A conversion writes so much at once.
	convertBytes   = 4 << 20
	convertEntries = 4096
	// convertTold is how often it tells how far it is.
	convertTold = 5 * time.Second
)

// raftTerm is the key that raft v1.7.3 keeps its term under (raft.go, unexported there).
const raftTerm = "CurrentTerm"

// Convert makes the log in dir one of the kind to. Nothing may have it open. The new log is written whole beside the old
// one, renamed, and only then is the old one removed; cut short at any point, it is to be run again.
func Convert(dir string, to Kind, logger hclog.Logger) error {
	if err := to.check(); err != nil {
		return err
	}
	found, err := Find(dir)
	if err != nil {
		return err
	}
	from := to.other()
	switch {
	case len(found) == 0:
		return fmt.Errorf("raft log in %s: expected one to convert, found none", dir)
	case len(found) > 1:
		// One of the two was renamed when it was whole, the other not yet removed: either will do.
		if err := durable.RemoveAll(to.path(dir)); err != nil {
			return err
		}
	case found[0] == to:
		return nil
	}
	temp := to.path(dir) + tempSuffix
	if err := durable.RemoveAll(temp); err != nil {
		return err
	}
	if err := copyLog(dir, from, to, temp, logger); err != nil {
		return errors.Join(fmt.Errorf("convert the raft log in %s from %s to %s: %w", dir, from, to, err), os.RemoveAll(temp))
	}
	if err := durable.Rename(temp, to.path(dir)); err != nil {
		return err
	}
	return durable.RemoveAll(from.path(dir))
}

// copyLog writes the log of the kind from as one of the kind to at path.
func copyLog(dir string, from, to Kind, path string, logger hclog.Logger) (err error) {
	// A failed write ends the conversion, which is the whole process.
	source, err := Open(Options{Dir: dir, Kind: from, Logger: logger, Fatal: func(error) {}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	target, err := openBackend(to, path, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	if err := copyWords(source, target); err != nil {
		return err
	}
	return copyEntries(source, target, logger)
}

// copyWords copies the term and the vote. What is not part of the log is not copied, so that words about it are not needed.
func copyWords(source *Store, target backend) error {
	term, err := source.backend.GetUint64([]byte(raftTerm))
	if err == nil {
		err = target.SetUint64([]byte(raftTerm), term)
	}
	if err != nil && err.Error() != errNoWord.Error() {
		return fmt.Errorf("copy the term: %w", err)
	}
	vote, err := source.backend.Get([]byte(voteKey))
	if err == nil {
		err = target.Set([]byte(voteKey), vote)
	}
	if err != nil && err.Error() != errNoWord.Error() {
		return fmt.Errorf("copy the vote: %w", err)
	}
	return nil
}

func copyEntries(source *Store, target backend, logger hclog.Logger) error {
	first, last := source.bounds()
	if last == 0 {
		return nil
	}
	told := time.Now()
	var batch []*raft.Log
	bytes := uint64(0)
	for index := first; index <= last; index++ {
		log := new(raft.Log)
		if err := source.GetLog(index, log); err != nil {
			return fmt.Errorf("read entry %d: %w", index, err)
		}
		batch, bytes = append(batch, log), bytes+weigh(log)
		if bytes < convertBytes && len(batch) < convertEntries && index < last {
			continue
		}
		if err := target.StoreLogs(batch); err != nil {
			return fmt.Errorf("write entries up to %d: %w", index, err)
		}
		batch, bytes = nil, 0
		if time.Since(told) >= convertTold {
			told = time.Now()
			logger.Info("converting the raft log", "entry", index, "of", last)
		}
	}
	return nil
}
