package diskspace

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/vfs"
)

// FileName is the name of the reserve file in the data directory.
const FileName = "reserve"

// Config of a Keeper.
type Config struct {
	// FS and Dir are where the reserve is.
	FS  vfs.FS
	Dir string
	// Measure tells how many bytes are free for this process, and how many there are in all.
	Measure func() (free, size uint64, err error)
	// Low and Reserve are what is configured, bytes or Auto.
	Low, Reserve int64
	Logger       hclog.Logger
}

// State is what a Keeper found last.
type State struct {
	Level Level
	Thresholds
	// Free bytes, Size in all, and Reserved in the reserve file.
	Free, Size, Reserved uint64
}

// Keeper measures, says the level and keeps the reserve. Its methods are for any goroutine; looks come one at a time.
type Keeper struct {
	cfg Config

	looking sync.Mutex
	failed  string // what was wrong last, so that it is said once

	mu    sync.Mutex
	state State
}

// New returns a Keeper that has not looked yet.
func New(cfg Config) *Keeper { return &Keeper{cfg: cfg} }

// State is what was found last.
func (k *Keeper) State() State {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.state
}

// Start looks, and lets go of as much of the reserve as there must be free before anything is opened.
func (k *Keeper) Start() State {
	s := k.Look()
	for range steps {
		if s.Level == Unwatched || s.Reserved == 0 || s.Free >= s.Floor() {
			break
		}
		s = k.Look()
	}
	return s
}

// Look measures once, and changes the reserve by one step at most.
func (k *Keeper) Look() State {
	k.looking.Lock()
	defer k.looking.Unlock()
	before := k.State()
	after, err := k.look(before)
	k.complain(err)
	k.mu.Lock()
	k.state = after
	k.mu.Unlock()
	if before.Level != after.Level {
		k.tell(before.Level, after)
	}
	return after
}

// look is one look. Where something of it fails the rest holds.
func (k *Keeper) look(s State) (State, error) {
	free, size, err := k.cfg.Measure()
	if err != nil {
		return s, err
	}
	s.Free, s.Size, s.Thresholds = free, size, Resolve(k.cfg.Low, k.cfg.Reserve, size)
	if s.Low == 0 {
		s.Level, s.Reserved = Unwatched, 0
		return s, k.remove()
	}
	if s.Reserved, err = k.length(); err == nil {
		s, err = k.adjust(s)
	}
	s.Level = s.next(s.Level, s.Free, s.Reserved > 0)
	return s, err
}

// adjust lets a step of the reserve go, or makes one again.
func (k *Keeper) adjust(s State) (State, error) {
	step := max(s.Reserve/steps, 1)
	wanted := s.Reserved
	switch {
	case s.Reserved > s.Reserve: // it is configured smaller
		wanted = s.Reserve
	case s.Reserved > 0 && s.Free < s.Floor():
		wanted -= min(s.Reserved, step)
	case s.Reserved < s.Reserve && s.Level <= Ample:
		more := min(step, s.Reserve-s.Reserved)
		if s.Free >= s.Clear()+more {
			wanted += more
		}
	}
	if wanted == s.Reserved {
		return s, nil
	}
	err := k.resize(wanted)
	length, lengthErr := k.length()
	if lengthErr != nil {
		return s, errors.Join(err, lengthErr)
	}
	if length < s.Reserved {
		k.cfg.Logger.Warn("the disk is full: some of the reserve is let go", "free", s.Free, "reserve_left", length)
	}
	s.Reserved = length
	if free, _, measureErr := k.cfg.Measure(); measureErr == nil {
		s.Free = free
	}
	return s, err
}

func (k *Keeper) path() string { return filepath.Join(k.cfg.Dir, FileName) }

// length of the reserve.
func (k *Keeper) length() (uint64, error) {
	f, err := k.cfg.FS.OpenFile(k.path(), os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	size, err := f.Size()
	return uint64(max(size, 0)), errors.Join(err, f.Close())
}

// resize gives the reserve a length. One that cannot grow as far is cut to what it was: a part of a step is of no use.
func (k *Keeper) resize(length uint64) error {
	f, err := k.cfg.FS.OpenFile(k.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	before, err := f.Size()
	if err == nil && int64(length) <= before { //nolint:gosec // lengths of files
		err = f.Truncate(int64(length)) //nolint:gosec // as above
	} else if err == nil {
		if err = vfs.Allocate(f, int64(length)); err != nil { //nolint:gosec // as above
			err = errors.Join(err, f.Truncate(before))
		}
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close(), k.cfg.FS.SyncDir(k.cfg.Dir))
}

// remove ends the reserve where nobody looks.
func (k *Keeper) remove() error {
	if err := k.cfg.FS.Remove(k.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// complain says each thing once.
func (k *Keeper) complain(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != k.failed && err != nil {
		k.cfg.Logger.Warn("the room on the disk cannot be looked after as it should", "error", err)
	}
	k.failed = text
}

func (k *Keeper) tell(before Level, s State) {
	log := k.cfg.Logger.With("was", before.String(), "is", s.Level.String(), "free", s.Free, "size", s.Size, "low", s.Low, "reserve", s.Reserved)
	switch {
	case s.Level >= Tight:
		log.Error("the disk is nearly full: make room, docs/runbooks/disk-full.md says how")
	case s.Level == Low:
		log.Warn("the disk is low: make room before it is full, docs/runbooks/disk-full.md says how")
	case before > Ample:
		log.Info("the disk has room again")
	default:
		log.Debug("the disk has room")
	}
}
