package testcluster

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	// What ballastd is made of, so that go test does not answer from its cache when it changes.
	_ "github.com/ballastdb/ballast/server/node"
)

// faultsTag is in every build of a test's ballastd: see internal/faults.
const faultsTag = "faults"

// build makes ballastd with the tags at path. The go command links again only where something changed.
func build(ctx context.Context, tags []string, path string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	// Go test's cache looks at the files that a test opens: here the main package, which nothing can import.
	if _, err := os.ReadDir(filepath.Join(root, "cmd", "ballastd")); err != nil {
		return err
	}
	joined := strings.Join(append([]string{faultsTag}, tags...), ",")
	cache := filepath.Join(root, ".cache", "testcluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	built := filepath.Join(cache, fmt.Sprintf("ballastd-%x", sha256.Sum256([]byte(joined)))[:len(cache)+1+len("ballastd-")+12])

	// Other test processes may build the same binary at the same time.
	release, err := lockFile(built + ".lock")
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", joined, "-o", built, "./cmd/ballastd")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("build ballastd: %w\n%s", err, out), release())
	}
	// A name of our own: the next build replaces the other.
	return errors.Join(copyFile(built, path), release())
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
	}
	return "", errors.New("no go.mod here or above: tests run in the module's tree")
}

func lockFile(path string) (release func() error, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f.Close, nil
}

func copyFile(from, to string) error {
	if err := os.Link(from, to); err == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return errors.Join(err, in.Close())
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close(), in.Close())
}
