//go:build lab

package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// host is a machine: a root of its own over the common tree, a disk for the data, a network, and systemd as PID 1.
type host struct {
	number        int
	name, address string
	dir, root     string
	network       string // file of its network namespace
	disk          *disk
	groups        map[string]string // hierarchy to its control group

	nspawn *exec.Cmd     // nil: it is off
	ended  chan struct{} // closed when it is off
	init   int           // its PID 1, as this process sees it
}

// newHost makes a host that is off. What was made is taken away by remove, also after an error.
func newHost(run string, number int) (*host, error) {
	h := &host{number: number, name: fmt.Sprintf("node-%d", number), address: addressOf(number), groups: map[string]string{}}
	h.dir = filepath.Join(run, "hosts", h.name)
	h.root, h.network = filepath.Join(h.dir, "root"), filepath.Join(h.dir, "network")
	if err := sh("mkdir -p %[1]s/upper %[1]s/work %[1]s/root && mount -t overlay overlay -o lowerdir=%[2]s,upperdir=%[1]s/upper,workdir=%[1]s/work %[1]s/root",
		h.dir, filepath.Join(run, rootfsLink)); err != nil {
		return h, err
	}
	for name, content := range map[string]string{"machine-id": "", "hostname": h.name + "\n"} {
		if err := os.WriteFile(filepath.Join(h.root, "etc", name), []byte(content), 0o644); err != nil {
			return h, err
		}
	}
	for _, hierarchy := range hierarchies {
		if group, ok := groupOf(hierarchy, filepath.Base(run)+"-"+h.name); ok {
			h.groups[hierarchy] = group
		}
	}
	var err error
	if h.disk, err = newDisk(h.dir); err != nil {
		return h, err
	}
	return h, plug(number, h.network)
}

// remove turns the host off and takes it away.
func (h *host) remove() error {
	errs := []error{h.powerOff(), unplug(h.number, h.network), sh("umount %s", h.root)}
	if h.disk != nil {
		errs = append(errs, h.disk.unmount())
	}
	return errors.Join(append(errs, os.RemoveAll(h.dir))...)
}

// boot turns the host on and waits until systemd has started what it starts.
func (h *host) boot(ctx context.Context) error {
	if err := cable(h.number, "up"); err != nil {
		return err
	}
	console, err := os.OpenFile(filepath.Join(h.dir, "console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer console.Close()
	script := ""
	for _, group := range h.groups {
		if err := os.MkdirAll(group, 0o755); err != nil {
			return err
		}
		script += fmt.Sprintf("echo $$ > %s/cgroup.procs\n", group)
	}
	script += `exec systemd-nspawn "$@"`
	// Not bound to ctx: a host runs until it is turned off.
	h.nspawn = exec.Command("sh", "-euc", script, "sh", "--quiet", "-D", h.root, "--machine="+h.name, "--hostname="+h.name, "--boot",
		"--register=no", "--keep-unit", "--network-namespace-path="+h.network, "--bind="+h.disk.state()+":/var/lib/ballast",
		"--console=read-only", "--resolv-conf=off", "--timezone=off")
	h.nspawn.Stdout, h.nspawn.Stderr = console, console
	if err := h.nspawn.Start(); err != nil {
		h.nspawn = nil
		return err
	}
	h.ended = make(chan struct{})
	go func(c *exec.Cmd, ended chan<- struct{}) {
		_ = c.Wait() // how it ended is on its console
		close(ended)
	}(h.nspawn, h.ended)
	return testcluster.Until(ctx, h.name+" has booted", func(ctx context.Context) error {
		select {
		case <-h.ended:
			return testcluster.Final(fmt.Errorf("%s does not boot\n%s", h.name, h.console()))
		default:
		}
		if h.init = childOf(h.nspawn.Process.Pid); h.init == 0 {
			return errors.New("no PID 1 yet")
		}
		state, err := h.run(ctx, "systemctl is-system-running || true")
		if state = strings.TrimSpace(state); err == nil && state != "running" && state != "degraded" {
			err = fmt.Errorf("the system is %q", state)
		}
		return err
	})
}

func (h *host) console() string {
	b, _ := os.ReadFile(filepath.Join(h.dir, "console.log"))
	return tail(string(b))
}

// childOf is the process that one has started; 0: none.
func childOf(pid int) int {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		number, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat"))
		if err != nil {
			continue
		}
		// pid (name) state parent ...; the name may have anything in it.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			return number
		}
	}
	return 0
}

// run runs a shell script on the host, as root, and answers what it printed.
func (h *host) run(ctx context.Context, script string) (string, error) {
	if h.nspawn == nil || h.init == 0 {
		return "", fmt.Errorf("%s is off", h.name)
	}
	c := exec.CommandContext(ctx, "nsenter", "-t", strconv.Itoa(h.init), "-a", "bash", "-euc", script)
	c.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + home, "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"}
	c.WaitDelay = 5 * time.Second
	out, err := c.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("on %s: %s: %w\n%s", h.name, script, err, tail(string(out)))
	}
	return string(out), err
}

// powerOff pulls the plug: every process is gone at once, and the network is silent. What was written but not synced is on
// the disk all the same; see powerCut.
func (h *host) powerOff() error {
	if h.nspawn == nil {
		return nil
	}
	victim := h.init
	if victim == 0 {
		victim = h.nspawn.Process.Pid
	}
	// Without power nothing answers: neither the member nor, in its place, the kernel that says that nobody listens.
	if err := cable(h.number, "down"); err != nil {
		return err
	}
	if err := syscall.Kill(victim, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	select {
	case <-h.ended:
	case <-time.After(time.Minute):
		return fmt.Errorf("%s does not go off", h.name)
	}
	h.nspawn, h.init = nil, 0
	return nil
}

// freeze makes the whole host stand still, thaw lets it go on.
func (h *host) freeze(ctx context.Context) error { return h.freezer(ctx, "FROZEN") }
func (h *host) thaw(ctx context.Context) error   { return h.freezer(ctx, "THAWED") }

func (h *host) freezer(ctx context.Context, state string) error {
	file := filepath.Join(h.groups["freezer"], "freezer.state")
	if err := os.WriteFile(file, []byte(state), 0); err != nil {
		return err
	}
	return testcluster.Until(ctx, h.name+" is "+state, func(context.Context) error {
		now, err := os.ReadFile(file)
		if err == nil && strings.TrimSpace(string(now)) != state {
			err = fmt.Errorf("it is %s", now)
		}
		return err
	})
}

// powerCut cuts the power of a frozen host and its disk; at the next boot the disk has what was synced.
func (h *host) powerCut(ctx context.Context) error {
	if err := h.disk.cut(); err != nil {
		return err
	}
	if err := cable(h.number, "down"); err != nil {
		return err
	}
	if err := syscall.Kill(h.init, syscall.SIGKILL); err != nil {
		return err
	}
	if err := h.thaw(ctx); err != nil { // what is frozen cannot die
		return err
	}
	if err := h.powerOff(); err != nil {
		return err
	}
	if err := h.disk.unmount(); err != nil {
		return err
	}
	return h.disk.mount()
}
