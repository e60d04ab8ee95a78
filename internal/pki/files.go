package pki

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ballastdb/ballast/internal/durable"
)

const (
	certificateMode = 0o644
	keyMode         = 0o600
	// maxFile bounds what is read of a file.
	maxFile = 1 << 20
)

// Paths are where a pair's files are: NAME.crt and NAME.key.
func Paths(dir, name string) (certificate, key string) {
	return filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
}

// Write makes the two files of a pair, fsynced; the key is its owner's alone. It refuses to overwrite either.
func Write(dir, name string, pair Pair) error {
	certificate, key := Paths(dir, name)
	for _, path := range []string{certificate, key} {
		if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
			if err == nil {
				err = fmt.Errorf("%s exists and is not overwritten: use another directory, or ballast certs renew", path)
			}
			return err
		}
	}
	if err := create(key, pair.Key, keyMode); err != nil {
		return err
	}
	if err := create(certificate, pair.Certificate, certificateMode); err != nil {
		return errors.Join(err, os.Remove(key))
	}
	return durable.SyncDir(dir)
}

// create makes a file that must not be there.
func create(path string, data []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return nil
}

// Read reads the two files of a pair.
func Read(certificate, key string) (pair Pair, err error) {
	if pair.Certificate, err = ReadFile(certificate); err != nil {
		return Pair{}, err
	}
	pair.Key, err = ReadFile(key)
	return pair, err
}

// ReadFile reads a file of certificates or a key, of at most 1 MiB.
func ReadFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: larger than %d bytes", path, maxFile)
	}
	return data, nil
}

// Replace puts a renewed certificate in the place of the old one: whoever reads the file sees either.
func Replace(certificate string, pair Pair) error {
	return durable.WriteFile(certificate, pair.Certificate, certificateMode)
}
