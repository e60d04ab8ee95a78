package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// smallDisk is large enough for the thresholds that a member has without being told (512 MiB, and a reserve of 128 MiB). Its file is
	// sparse, and what fills it is allocated and not written, so it takes a few MiB.
	smallDisk = 6 << 30
	diskLow   = 512 << 20
	// ownMounts tells the test that it runs with mounts of its own.
	ownMounts = "BALLAST_TEST_OWN_MOUNTS"
)

// withOwnMounts runs the test again in a process with mounts of its own, which are gone with it, however it ends.
func withOwnMounts(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount file systems")
	}
	for _, tool := range []string{"mkfs.ext4", "mount"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("needs %s: %v", tool, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	runtime.LockOSThread() // the death signal comes when the thread ends that started the process
	defer runtime.UnlockOSThread()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^"+regexp.QuoteMeta(t.Name())+"$", "-test.v", "-test.timeout=170s")
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, syscall.EPERM):
		t.Skip("may not have mounts of its own:", err)
	case err != nil:
		t.Fatalf("%v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("with mounts of its own:\n%s", out)
	}
	t.Logf("with mounts of its own:\n%s", out)
}

// mountDisk mounts a small ext4 file system.
func mountDisk(t *testing.T, at string) {
	t.Helper()
	image := at + ".ext4"
	must(t, os.Mkdir(at, 0o700))
	for _, command := range [][]string{
		{"truncate", "-s", fmt.Sprint(smallDisk), image},
		{"mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1", image},
		{"mount", "-o", "loop", image, at},
	} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%s: %v: %s", strings.Join(command, " "), err, out)
		}
	}
	t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
}

// leaveFree fills a member's disk with a file beside its data directory, or empties that, until so much is free.
func leaveFree(t *testing.T, m *testcluster.Member, want int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(m.Dir, "filler"), os.O_RDWR|os.O_CREATE, 0o600)
	must(t, err)
	defer f.Close()
	for range 3 { // what the file system keeps of its own changes a little with it
		info, err := f.Stat()
		must(t, err)
		more := freeOn(t, m) - want
		switch {
		case more > 0:
			err = unix.Fallocate(int(f.Fd()), 0, info.Size(), more)
			if errors.Is(err, unix.ENOSPC) { // it was nearly all
				err = nil
			}
		case more < 0:
			err = f.Truncate(max(info.Size()+more, 0))
		}
		must(t, err)
	}
}

func freeOn(t *testing.T, m *testcluster.Member) int64 {
	t.Helper()
	var stat unix.Statfs_t
	must(t, unix.Statfs(m.Dir, &stat))
	return int64(stat.Bavail) * stat.Bsize //nolint:gosec // a small disk
}

// load credits one account until it is stopped, and counts what was acknowledged.
type load struct {
	mu       sync.Mutex
	acked    int64
	unknown  int64 // may have been done
	refusals int   // for want of room
	others   []error
	running  sync.WaitGroup
	stop     context.CancelFunc
}

func startLoad(b *bank, account string) *load {
	ctx, stop := context.WithCancel(context.Background())
	l := &load{stop: stop}
	for range 2 {
		l.running.Go(func() {
			for ctx.Err() == nil {
				l.credit(ctx, b.client, account)
			}
		})
	}
	b.t.Cleanup(func() { stop(); l.running.Wait() })
	return l
}

func (l *load) credit(ctx context.Context, c *client.Client, account string) {
	ctx, cancel := context.WithTimeout(ctx, 1500*time.Millisecond) // a refusal is tried again until then
	defer cancel()
	_, err := c.Credit(ctx, account, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	var refused *client.StatusError
	switch {
	case err == nil:
		l.acked++
	case errors.Is(err, client.ErrUnknownOutcome):
		l.unknown++
	case errors.Is(err, client.ErrDiskLow) && errors.As(err, &refused) && refused.Code == codes.ResourceExhausted:
		l.refusals++
	case ctx.Err() == nil && !unavailable(err):
		l.others = append(l.others, err)
	}
}

// is waits until what was counted so far is as a test wants it.
func (l *load) is(b *bank, what string, ok func(acked int64, refusals int) bool) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), what, func(context.Context) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !ok(l.acked, l.refusals) {
			return fmt.Errorf("%d were acknowledged, %d refused", l.acked, l.refusals)
		}
		return nil
	}))
}

// now is what was acknowledged and refused so far.
func (l *load) now() (acked int64, refusals int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.acked, l.refusals
}

// goesOn waits until more writes are acknowledged.
func (l *load) goesOn(b *bank) {
	b.t.Helper()
	before, _ := l.now()
	l.is(b, "writes go on", func(acked int64, _ int) bool { return acked >= before+10 })
}

// On real file systems that fill up under load: a leader whose disk is low hands over, with a majority low writes are refused with a code of
// their own, members outlive a disk without a byte, and once there is room all goes on by itself with everything that was acknowledged.
func TestRealDisksThatFillUp(t *testing.T) {
	if os.Getenv(ownMounts) == "" {
		withOwnMounts(t)
		return
	}
	must(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir := t.TempDir()
	for i := range 3 {
		mountDisk(t, filepath.Join(dir, fmt.Sprintf("node-%d", i+1)))
	}
	b := openBank(t, testcluster.Options{Dir: dir, Config: map[string]string{"log_level": "info"}})
	const account = "account-0"
	l := startLoad(b, account)
	l.goesOn(b)
	pids := map[int]bool{}
	for _, m := range b.cluster.Members {
		pids[m.PID()] = true
		b.waitReserve(m, 128<<20)
	}

	// Low: the leader hands over, and nobody is refused.
	first := b.leader()
	leaveFree(t, first, diskLow-16<<20)
	must(t, testcluster.Until(b.ctx(), "another leads", func(ctx context.Context) error {
		leader, err := b.cluster.WaitLeader(ctx)
		if err == nil && leader == first {
			err = errors.New("it still leads")
		}
		return err
	}))
	l.goesOn(b)
	if _, refusals := l.now(); refusals > 0 {
		t.Errorf("%d writes were refused while a majority had room", refusals)
	}

	// A majority low: writes are refused, reads are not.
	for _, m := range b.cluster.Members {
		leaveFree(t, m, diskLow-16<<20)
	}
	l.is(b, "writes are refused", func(_ int64, refusals int) bool { return refusals > 1 })
	acked, _ := l.now()
	if _, err := b.client.Account(b.ctx(), account); err != nil {
		t.Errorf("a read: %v", err)
	}

	// Not a byte left: the reserve goes, and members live on.
	must(t, testcluster.Until(b.ctx(), "all have given their reserve away", func(ctx context.Context) error {
		var errs []error
		for _, m := range b.cluster.Members {
			leaveFree(t, m, 0)
			s, err := m.Status(ctx)
			if d := s.GetDisk(); err == nil && (d.GetRoom() != ballastv1.DiskRoom_DISK_ROOM_FULL || d.GetReserveBytes() != 0) {
				err = fmt.Errorf("%s says %v", m.Name, d)
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}))
	_, refusals := l.now()
	l.is(b, "writes are still refused", func(_ int64, now int) bool { return now > refusals+1 })
	if now, _ := l.now(); now > acked+2 { // what was under way when the first was refused
		t.Errorf("%d writes were acknowledged on full disks", now-acked)
	}

	// Some room: it is as it was, until there is half as much again. Then all goes on by itself.
	for _, m := range b.cluster.Members {
		leaveFree(t, m, diskLow+diskLow/4)
		b.waitRoom(m, ballastv1.DiskRoom_DISK_ROOM_LOW)
	}
	_, refusals = l.now()
	l.is(b, "writes are still refused", func(_ int64, now int) bool { return now > refusals+1 })
	for _, m := range b.cluster.Members {
		leaveFree(t, m, 3<<30)
	}
	l.goesOn(b)
	for _, m := range b.cluster.Members {
		b.waitReserve(m, 128<<20)
		if !pids[m.PID()] || !m.Running() {
			t.Errorf("%s has ended", m.Name)
		}
	}
	l.stop()
	l.running.Wait()
	if len(l.others) > 0 {
		t.Errorf("%d writes ended otherwise, the first with %v", len(l.others), l.others[0])
	}
	got, err := b.client.Account(b.ctx(), account)
	must(t, err)
	if got.Posted < l.acked || got.Posted > l.acked+l.unknown {
		t.Errorf("the balance is %d; %d were acknowledged, %d may have been done", got.Posted, l.acked, l.unknown)
	}
	t.Logf("%d writes were acknowledged, %d refused for want of room, %d unknown", l.acked, l.refusals, l.unknown)
	b.checkEqual()
}

// waitReserve waits until a member's reserve has its size.
func (b *bank) waitReserve(m *testcluster.Member, want uint64) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), m.Name+" has its reserve", func(ctx context.Context) error {
		s, err := m.Status(ctx)
		if d := s.GetDisk(); err == nil && (d.GetReserveBytes() != want || d.GetRoom() != ballastv1.DiskRoom_DISK_ROOM_AMPLE) {
			err = fmt.Errorf("it says %v", d)
		}
		return err
	}))
}
