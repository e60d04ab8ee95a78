package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/durable"
)

// wholeFile is where what takes long to come goes: a file beside the one that is asked for, which gets its name when all of it is
// there; or standard output.
type wholeFile struct {
	path string // that is asked for
	out  io.Writer
	file *os.File // nil: standard output
}

// wholeTarget makes it. What exists already is refused here, before anybody works for it, and again when it gets its name.
func (a *app) wholeTarget(path string, force bool) (*wholeFile, error) {
	if path == "-" {
		return &wholeFile{path: path, out: a.out}, nil
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return nil, fileExists(path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.incomplete")
	if err != nil {
		return nil, codeError{code: exitFailed, err: fmt.Errorf("make a file beside %s: %w", path, err)}
	}
	return &wholeFile{path: path, out: f, file: f}, nil
}

func fileExists(path string) error {
	return codeError{code: exitFailed, err: fmt.Errorf("%s exists and is kept: name another file, or replace it with --force", path)}
}

// keep makes the file durable and gives it its name.
func (t *wholeFile) keep(force bool) error {
	if t.file == nil {
		return nil
	}
	name := t.file.Name()
	err := errors.Join(t.file.Sync(), t.file.Close())
	if err == nil && force {
		err = os.Rename(name, t.path)
	} else if err == nil {
		err = link(name, t.path)
	}
	if err == nil {
		err = durable.SyncDir(filepath.Dir(t.path))
	}
	if err != nil {
		return codeError{code: exitFailed, err: errors.Join(err, removeLeft(name))}
	}
	return nil
}

// link gives a file another name that nobody has, and takes the old one away.
func link(name, path string) error {
	if err := os.Link(name, path); errors.Is(err, os.ErrExist) {
		return fileExists(path)
	} else if err != nil {
		return fmt.Errorf("give the file its name: %w (--force renames it, where the file system knows no links)", err)
	}
	return os.Remove(name)
}

// drop removes what is there of what broke off.
func (t *wholeFile) drop() error {
	if t.file == nil {
		return nil
	}
	return errors.Join(t.file.Close(), removeLeft(t.file.Name()))
}

func removeLeft(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
