//go:build lab

package lab

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// rootfsVariable names a tree that is ready, made by the same debootstrap.
const rootfsVariable = "BALLAST_LAB_ROOTFS"

// What a host has before the package: a change here makes another tree.
const (
	suite    = "bookworm"
	variant  = "minbase"
	included = "systemd,systemd-sysv,dbus,iproute2,procps"
)

// rootfs is the tree that every host's root lies over; it is made once and kept in the cache under what it consists of.
func rootfs(ctx context.Context, cache string) (string, error) {
	if ready := os.Getenv(rootfsVariable); ready != "" {
		return ready, nil
	}
	key := sha256.Sum256([]byte(suite + " " + variant + " " + included))
	tree := filepath.Join(cache, fmt.Sprintf("rootfs-%x", key[:6]))
	if _, err := os.Stat(tree); err == nil {
		return tree, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	made, err := os.MkdirTemp(cache, "making-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(made)
	if err := os.Chmod(made, 0o755); err != nil { // it becomes the root of a system
		return "", err
	}
	out, err := exec.CommandContext(ctx, "debootstrap", "--variant="+variant, "--include="+included, suite, made).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("debootstrap: %w\n%s", err, tail(string(out)))
	}
	return tree, os.Rename(made, tree)
}

// tail is the end of a long output.
func tail(s string) string { return s[max(0, len(s)-4096):] }
