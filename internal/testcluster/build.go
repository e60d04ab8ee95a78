package testcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	// What ballastd is made of, so that go test does not answer from its cache when it changes.
	_ "github.com/ballastdb/ballast/server/node"
)

// faultsTag is in every build of a test's ballastd: see internal/faults.
const faultsTag = "faults"

// envRace, if set, has ballastd built with the race detector: slow to build, and a race ends the member.
const envRace = "BALLAST_TESTCLUSTER_RACE"

// ownTags are the tags of this test binary that must hold for its members too.
func ownTags() (tags []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, setting := range info.Settings {
		if setting.Key != "-tags" {
			continue
		}
		for _, tag := range strings.Split(setting.Value, ",") {
			if tag == "unguarded" || tag == "planted" {
				tags = append(tags, tag)
			}
		}
	}
	return tags
}

// built remembers, by its tags, what this test process has built: the go command takes seconds to find out that nothing
// has changed. It is the only state that clusters share.
var built struct {
	sync.Mutex
	binaries map[string]string
}

// binary makes ballastd with the tags, once, at path.
func binary(ctx context.Context, tags []string, path string) error {
	joined := strings.Join(slices.Compact(slices.Sorted(slices.Values(slices.Concat([]string{faultsTag}, ownTags(), tags)))), ",")
	built.Lock()
	defer built.Unlock()
	if built.binaries[joined] == "" {
		made, err := build(ctx, joined)
		if err != nil {
			return err
		}
		if built.binaries == nil {
			built.binaries = map[string]string{}
		}
		built.binaries[joined] = made
	}
	// A name of the cluster's own: another process may build the other again.
	return copyFile(built.binaries[joined], path)
}

// build makes ballastd with the tags in the module's cache directory and answers where.
func build(ctx context.Context, tags string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	// Go test's cache looks at the files that a test opens: here the main package, which nothing can import.
	if _, err := os.ReadDir(filepath.Join(root, "cmd", "ballastd")); err != nil {
		return "", err
	}
	cache := filepath.Join(root, ".cache", "testcluster")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	path := filepath.Join(cache, "ballastd-"+strings.ReplaceAll(tags, ",", "-"))

	// Other test processes may build the same binary at the same time.
	release, err := lockFile(path + ".lock")
	if err != nil {
		return "", err
	}
	args := []string{"build", "-tags", tags, "-o", path}
	if os.Getenv(envRace) != "" {
		args = append(args, "-race")
	}
	cmd := exec.CommandContext(ctx, "go", append(args, "./cmd/ballastd")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build ballastd: %w\n%s", err, out), release())
	}
	return path, release()
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
