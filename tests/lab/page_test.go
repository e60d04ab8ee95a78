//go:build lab

package lab

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/docblocks"
)

// page is what operators follow.
const page = module + "/docs/deployment.md"

// home of root on a host, by Debian's /etc/passwd.
const home = "/root"

// scp is the workstation's: no host runs ssh here. Addresses are folders of the hosts' roots.
const scp = `#!/bin/bash
set -eu
to=${!#}
address=${to#root@}
path=${address#*:}
[[ $path == /* ]] || path=$LAB_HOME/$path
cp "${@:1:$#-1}" "$LAB_ROOTS/${address%%:*}$path"
`

// follow runs every block of docs/deployment.md in order, as it stands, on the hosts that it names: three empty hosts become
// a cluster.
func (l *lab) follow() {
	l.t.Helper()
	l.install()
	l.form()
}

// install is the page but for its last block: every host has a member that waits.
func (l *lab) install() {
	l.t.Helper()
	l.furnish()
	blocks := l.page()
	l.carryOut(blocks[:len(blocks)-1])
}

// form is the last block of the page: the members become a cluster.
func (l *lab) form() {
	l.t.Helper()
	blocks := l.page()
	l.carryOut(blocks[len(blocks)-1:])
}

func (l *lab) page() []docblocks.Block {
	l.t.Helper()
	text, err := os.ReadFile(page)
	must(l.t, err)
	blocks := slices.DeleteFunc(docblocks.Of(string(text)), func(b docblocks.Block) bool { return slices.Contains(b.Places, docblocks.Trial) })
	if len(blocks) < 2 {
		l.t.Fatalf("%s has %d blocks of commands", page, len(blocks))
	}
	return blocks
}

// carryOut does with blocks what a reader does.
func (l *lab) carryOut(blocks []docblocks.Block) {
	l.t.Helper()
	for _, block := range blocks {
		for _, place := range block.Places {
			switch h := l.named(place); {
			case place == docblocks.Workstation:
				l.t.Logf("%s$ %s\n%s", place, block.Text, l.work(block.Text))
			case h != nil:
				out := l.on(h, "%s", block.Text)
				if place == block.Places[0] { // the others say the same
					l.t.Logf("%s# %s\n%s", place, block.Text, out)
				}
			default:
				l.t.Fatalf("%s: a block is to be run on %q", page, place)
			}
		}
	}
}

// furnish puts into the workstation's directory what the page takes to be there: the package, and a way to copy files.
func (l *lab) furnish() {
	l.t.Helper()
	roots, bin := filepath.Join(l.workstation, ".roots"), filepath.Join(l.workstation, ".bin")
	must(l.t, os.Mkdir(roots, 0o755))
	must(l.t, os.Mkdir(bin, 0o755))
	for _, h := range l.hosts {
		must(l.t, os.Symlink(h.root, filepath.Join(roots, h.address)))
	}
	must(l.t, os.WriteFile(filepath.Join(bin, "scp"), []byte(scp), 0o755))
	must(l.t, sh("cp %s %s", filepath.Join(l.packages, packageName(firstVersion)), l.workstation))
}

// work runs a script on the workstation and answers what it printed.
func (l *lab) work(script string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.ctx(), patience)
	defer cancel()
	out, err := l.shell(ctx, script).CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return string(out)
}

// shell is a script on the workstation that has not begun.
func (l *lab) shell(ctx context.Context, script string) *exec.Cmd {
	c := exec.CommandContext(ctx, "bash", "-euc", script)
	c.Dir, c.WaitDelay = l.workstation, 5*time.Second
	c.Env = append(os.Environ(), "LAB_HOME="+home, "LAB_ROOTS="+filepath.Join(l.workstation, ".roots"),
		"PATH="+strings.Join([]string{filepath.Join(l.workstation, ".bin"), l.programs, os.Getenv("PATH")}, ":"))
	return c
}

// ballast is the command line of a verb with the operator's certificate.
func (l *lab) ballast(verb string) string {
	ca, cert, key := l.credentials()
	var endpoints []string
	for _, h := range l.hosts {
		endpoints = append(endpoints, h.address+":7401")
	}
	return fmt.Sprintf("exec ballast --endpoints %s --ca %s --cert %s --key %s %s", strings.Join(endpoints, ","), ca, cert, key, verb)
}
