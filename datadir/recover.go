package datadir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/ballastdb/ballast/internal/durable"
)

// keptPrefix begins the name of a directory that holds what was there before a recovery; keptSuffix ends it while it is made.
const (
	keptPrefix = "before-recovery-"
	keptSuffix = ".incomplete"
)

// Kept is where KeepAside keeps what there is before the recovery to an epoch.
func (d *Dir) Kept(epoch uint64) string {
	return filepath.Join(d.root, fmt.Sprint(keptPrefix, epoch))
}

// KeepAside copies everything there is, durably, into Kept(epoch), which is not there before it is complete. Files of snapshots, which
// are never changed once they are written, are linked. What earlier recoveries kept is not copied again, what they left unfinished is removed.
func (d *Dir) KeepAside(epoch uint64) (err error) {
	unfinished, err := filepath.Glob(filepath.Join(d.root, keptPrefix+"*"+keptSuffix))
	if err != nil {
		return err
	}
	for _, path := range unfinished {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	to := d.Kept(epoch) + keptSuffix
	defer func() {
		if err != nil { // the disk may be full: nothing of it stays
			err = errors.Join(err, os.RemoveAll(to))
		}
	}()
	if err := durable.Mkdir(to, dirMode); err != nil {
		return err
	}
	entries, err := os.ReadDir(d.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lostFound || strings.HasPrefix(e.Name(), keptPrefix) {
			continue
		}
		copyOne := copyFile
		if e.Name() == snapshotName {
			copyOne = os.Link
		}
		if err := copyTree(filepath.Join(d.root, e.Name()), filepath.Join(to, e.Name()), copyOne); err != nil {
			return fmt.Errorf("keep %s aside: %w", e.Name(), err)
		}
	}
	if err := durable.SyncDir(to); err != nil {
		return err
	}
	return durable.Rename(to, d.Kept(epoch))
}

// SetEpoch makes this the data directory of a recovered cluster, durably: from here on no member of an earlier epoch is listened to.
func (d *Dir) SetEpoch(epoch uint64) error {
	identity := d.identity
	identity.RecoveryEpoch = epoch
	if err := writeIdentity(d.Layout, identity); err != nil {
		return err
	}
	d.identity = identity
	return nil
}

// copyTree copies a file, or a directory and all below it, durably but for the name of from itself.
func copyTree(from, to string, copyOne func(from, to string) error) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		switch {
		case e.IsDir():
			if err := os.Mkdir(target, dirMode); err != nil {
				return err
			}
		case e.Type().IsRegular():
			if err := copyOne(path, target); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s is neither a file nor a directory", path)
		}
		return durable.SyncDir(filepath.Dir(target))
	})
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, in.Close()) }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
