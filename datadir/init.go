package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ballastdb/ballast/internal/durable"
)

// Init makes the data directory of a new member. Its parent must be there; the directory itself may be there if it is
// empty or an earlier Init of it was cut short. create makes the stores within it (the raft log above all), so that
// starting a member never has to; it is called once, after the directories were made.
//
// The identity's rename is the commit point. A crash before it leaves a directory that Open refuses as HalfInitialised
// and that Init begins again; a crash after it leaves a complete data directory.
func Init(dir string, id Identity, create func(Layout) error) (err error) {
	if err := id.check(); err != nil {
		return fmt.Errorf("init %s: %w", dir, err)
	}
	layout := Layout{filepath.Clean(dir)}
	if err := prepare(layout.root); err != nil {
		return err
	}
	held, err := lock(layout.root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, held.Close()) }()

	if err := makeRoom(layout); err != nil {
		return err
	}
	for _, step := range initSteps(layout, id, create) {
		if err := step.do(); err != nil {
			return fmt.Errorf("init %s: %s: %w", layout.root, step.name, err)
		}
	}
	return nil
}

// prepare makes the directory itself, or sees that one which is there can be used.
func prepare(dir string) error {
	err := checkDirectory(dir)
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return err
	}
	switch refused.Problem {
	case Missing:
		if _, err := os.Stat(filepath.Dir(dir)); err != nil {
			return fmt.Errorf("init %s: its parent directory must be there: %w; to go on: mkdir -p %s", dir, err, filepath.Dir(dir))
		}
		return durable.Mkdir(dir, dirMode)
	case WrongMode:
		return nil // initSteps sets it, once the directory is known to be empty.
	default:
		return refused
	}
}

// makeRoom refuses a directory that holds anything but the rests of an Init that was cut short, and removes those.
func makeRoom(layout Layout) error {
	found, names, err := inspect(layout.root)
	if err != nil {
		return err
	}
	switch found {
	case stateInitialised:
		return &RefusedError{
			Problem: Initialised, Dir: layout.root, Expected: "an empty or missing directory", Found: names,
			Remedy: "start it (ballastd run --data-dir " + layout.root + "), or name another directory",
		}
	case stateForeign:
		return &RefusedError{
			Problem: Foreign, Dir: layout.root, Expected: "an empty or missing directory", Found: names,
			Remedy: "name another directory with --data-dir; init never removes files that it did not make",
		}
	case stateHalf:
		return removeRests(layout)
	default:
		return nil
	}
}

// removeRests removes what an Init that was cut short had made, apart from its marker. No member ever ran on it.
func removeRests(layout Layout) error {
	rests := append(layout.directories(), layout.boot())
	temporary, err := filepath.Glob(filepath.Join(layout.root, durable.TempPattern))
	if err != nil {
		return err
	}
	for _, path := range slices.Concat(rests, temporary) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return durable.SyncDir(layout.root)
}

// step is one durable step of Init; a crash may fall between any two.
type step struct {
	name string
	do   func() error
}

func initSteps(layout Layout, id Identity, create func(Layout) error) []step {
	steps := []step{
		{"set the mode", func() error { return os.Chmod(layout.root, dirMode) }},
		{"mark as incomplete", func() error {
			return durable.WriteFile(layout.marker(), []byte("ballastd init has not ended\n"), fileMode)
		}},
	}
	for _, dir := range layout.directories() {
		steps = append(steps, step{"make " + dir, func() error { return durable.Mkdir(dir, dirMode) }})
	}
	steps = append(steps, step{"create the stores", func() error { return create(layout) }})
	for _, dir := range layout.directories() {
		steps = append(steps, step{"sync " + dir, func() error { return durable.SyncDir(dir) }})
	}
	return append(steps,
		step{"write the boot record", func() error { return writeBoot(layout, bootRecord{}) }},
		step{"write the identity", func() error { return writeIdentity(layout, id) }}, // Commit point.
		step{"remove the mark", func() error { return durable.Remove(layout.marker()) }},
	)
}

func writeBoot(layout Layout, b bootRecord) error {
	data, err := encodeBoot(b)
	if err != nil {
		return err
	}
	return durable.WriteFile(layout.boot(), data, fileMode)
}

func writeIdentity(layout Layout, id Identity) error {
	data, err := encodeIdentity(id)
	if err != nil {
		return err
	}
	return durable.WriteFile(layout.identity(), data, fileMode)
}
