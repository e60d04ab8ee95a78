//go:build lab

package lab

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// hierarchies are those of cgroup v1 (and the unified one beside it) in which every host has a group of its own: without,
// the systemds of two hosts take each other's services for theirs.
var hierarchies = []string{"systemd", "unified", "pids", "memory", "freezer", "blkio"}

const cgroups = "/sys/fs/cgroup"

// missing says what this machine lacks for a lab; empty: nothing.
func missing() string {
	if os.Getuid() != 0 {
		return "not root: namespaces, mounts and control groups need it"
	}
	tools := map[string]string{
		"systemd-nspawn": "systemd-container", "debootstrap": "debootstrap", "ip": "iproute2", "nsenter": "util-linux",
		"mount": "mount", "mkfs.ext4": "e2fsprogs", "dpkg-deb": "dpkg",
	}
	var lacking []string
	for tool, pkg := range tools {
		if _, err := exec.LookPath(tool); err != nil && (tool != "debootstrap" || os.Getenv(rootfsVariable) == "") {
			lacking = append(lacking, fmt.Sprintf("%s (package %s)", tool, pkg))
		}
	}
	if len(lacking) > 0 {
		return "not installed: " + strings.Join(lacking, ", ")
	}
	for _, h := range []string{"systemd", "freezer"} {
		if _, err := os.Stat(filepath.Join(cgroups, h, "cgroup.procs")); err != nil {
			return fmt.Sprintf("no control group hierarchy %q of version 1: %v", h, err)
		}
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		return fmt.Sprintf("no loop devices: %v", err)
	}
	if err := unsharing(); err != nil {
		return fmt.Sprintf("no namespaces of one's own: %v", err)
	}
	return ""
}

// unsharing tries the namespaces that a lab lives in.
func unsharing() error {
	try := exec.Command("true")
	try.SysProcAttr = &syscall.SysProcAttr{Cloneflags: namespaces, Unshareflags: syscall.CLONE_NEWNS}
	return try.Run()
}

// groupOf is the directory of a control group of this run, below the one that this process is in.
func groupOf(hierarchy, name string) (dir string, ok bool) {
	top := filepath.Join(cgroups, hierarchy)
	if _, err := os.Stat(filepath.Join(top, "cgroup.procs")); err != nil {
		return "", false
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return "", false
	}
	want := map[string]string{"systemd": "name=systemd", "unified": ""}
	controller, special := want[hierarchy]
	if !special {
		controller = hierarchy
	}
	for line := range strings.Lines(string(own)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) == 3 && fields[1] == controller {
			return filepath.Join(top, fields[2], name), true
		}
	}
	return "", false
}
