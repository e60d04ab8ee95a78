//go:build lab

package lab

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestUpgrade: from the first package to the second, which raises the cluster version, under load and with no failed call, by
// what `ballast cluster upgrade` says to do on which host; it is interrupted once and goes on. Installing restarts nothing.
// From then on the first package is refused with 78, by systemd for good, and the others are unharmed.
func TestUpgrade(t *testing.T) {
	l := open(t)
	l.follow()
	c := l.connect()
	l.prepareAccounts(c)
	for _, h := range l.hosts {
		must(t, sh("cp %s/%s %s%s/", l.packages, packageName(secondVersion), h.root, home))
	}
	load := l.start(c)
	if out, err := l.shell(l.ctx(), l.ballast("cluster raise-version 2")).CombinedOutput(); err == nil || !strings.Contains(string(out), "applies versions up to 1") {
		t.Fatalf("the cluster version was raised before any program went along: %v\n%s", err, out)
	}
	u := &upgrading{lab: l, load: load}
	u.run(1) // and Ctrl-C
	u.run(len(l.hosts))
	if u.done[l.hosts[0]] != 1 || u.done[l.hosts[1]] != 1 || u.done[l.hosts[2]] != 1 {
		t.Errorf("told to upgrade %v, want every host once", u.done)
	}
	l.leader(c, l.hosts...)
	var status struct {
		ClusterVersion uint32 `json:"cluster_version"`
	}
	must(t, json.Unmarshal([]byte(l.work(l.ballast("status -o json"))), &status))
	if status.ClusterVersion != 2 {
		t.Errorf("the cluster version is %d, want 2", status.ClusterVersion)
	}

	victim := l.but(l.leader(c, l.hosts...))[0]
	l.on(victim, "cd ~; dpkg -i %s; systemctl restart ballastd || true", packageName(firstVersion))
	refused(l, victim, "this program is too old for its cluster")
	load.goesOn("with the old program refused on " + victim.name)
	l.on(victim, "cd ~; dpkg -i %s; systemctl restart ballastd", packageName(secondVersion))
	l.leader(c, l.hosts...)
	load.end(false)
}

// upgrading does on the hosts what the command says.
type upgrading struct {
	*lab
	load *load
	done map[*host]int
}

// instruction is what `ballast cluster upgrade` says of a host.
var instruction = regexp.MustCompile(`^(\S+), which runs .*: run on (\S+): (.*)$`)

// run runs the command until as many hosts as that have been upgraded: then it is interrupted, unless those are all.
func (u *upgrading) run(hosts int) {
	u.t.Helper()
	if u.done == nil {
		u.done = map[*host]int{}
	}
	cmd := u.shell(u.ctx(), u.ballast("cluster upgrade --to "+secondVersion))
	told, err := cmd.StderrPipe()
	must(u.t, err)
	var out strings.Builder
	cmd.Stdout = &out
	must(u.t, cmd.Start())
	for lines := bufio.NewScanner(told); lines.Scan(); {
		u.t.Logf("ballast cluster upgrade: %s", lines.Text())
		m := instruction.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		if len(u.done) == hosts {
			must(u.t, cmd.Process.Signal(os.Interrupt))
			continue
		}
		u.upgrade(u.named(m[1]), m[2], m[3])
	}
	err = cmd.Wait()
	if _, ended := err.(*exec.ExitError); err != nil && (!ended || len(u.done) == len(u.hosts)) {
		u.t.Fatalf("ballast cluster upgrade: %v", err)
	}
	u.t.Log(out.String())
}

// upgrade runs on a host what was said, in the directory that the packages were copied to.
func (u *upgrading) upgrade(h *host, address, command string) {
	u.t.Helper()
	if h == nil || h.address != address {
		u.t.Fatalf("told to go to %q", address)
	}
	u.done[h]++
	before := mainPID(u.lab, h)
	install, restart, ok := strings.Cut(command, " && ")
	if !ok || restart != "systemctl restart ballastd" {
		u.t.Fatalf("told to run %q", command)
	}
	if out := u.on(h, "cd ~; %s", install); !strings.Contains(out, restart) {
		u.t.Errorf("installing does not say what is left to do:\n%s", out)
	}
	if now := mainPID(u.lab, h); now != before {
		u.t.Errorf("installing restarted the member: process %s, before %s", now, before)
	}
	u.on(h, "%s", restart)
	u.load.goesOn("with " + h.name + " upgraded")
	u.says(h, "/proc/$(systemctl show -P MainPID ballastd)/exe version", secondVersion)
}
