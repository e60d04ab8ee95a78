//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// The two packages of a run: the program that is tested, twice, under two versions. The second is built with the tag nextversion,
// and so applies one more cluster version (fsm/version_next.go).
const (
	firstVersion  = "0.1.0~lab1"
	secondVersion = "0.1.0~lab2"
	secondTags    = "nextversion"
)

// packagesVariable names a directory with both packages, made before from the same tree.
const packagesVariable = "BALLAST_LAB_PACKAGES"

// Names of what prepare leaves in a run's directory.
const (
	rootfsLink = "rootfs"
	packageDir = "packages"
	programDir = "programs"
)

// module is the top of the source tree, seen from the directory that tests run in.
const module = "../.."

// prepare does what needs the machine's network and time: the tree of a host, and the packages.
func prepare(ctx context.Context, run string) error {
	tree, err := rootfs(ctx, filepath.Join(module, ".cache/lab"))
	if err != nil {
		return err
	}
	if tree, err = filepath.Abs(tree); err != nil {
		return err
	}
	if err := os.Symlink(tree, filepath.Join(run, rootfsLink)); err != nil {
		return err
	}
	dir := filepath.Join(run, packageDir)
	if ready := os.Getenv(packagesVariable); ready != "" {
		if err := os.Symlink(ready, dir); err != nil {
			return err
		}
		return unpack(ctx, dir, run)
	}
	for version, tags := range map[string]string{firstVersion: "", secondVersion: secondTags} {
		pack := exec.CommandContext(ctx, "deploy/package.sh", version, runtime.GOARCH)
		pack.Dir, pack.Env = module, append(os.Environ(), "PACKAGERS=deb", "DIST="+dir, "GOFLAGS="+os.Getenv("GOFLAGS")+" -tags="+tags)
		if out, err := pack.CombinedOutput(); err != nil {
			return fmt.Errorf("deploy/package.sh %s: %w\n%s", version, err, tail(string(out)))
		}
	}
	return unpack(ctx, dir, run)
}

// unpack gives the workstation the programs of the first package.
func unpack(ctx context.Context, dir, run string) error {
	return exec.CommandContext(ctx, "dpkg-deb", "-x", filepath.Join(dir, packageName(firstVersion)), filepath.Join(run, programDir)).Run()
}

func packageName(version string) string {
	return fmt.Sprintf("ballast_%s_%s.deb", version, runtime.GOARCH)
}
