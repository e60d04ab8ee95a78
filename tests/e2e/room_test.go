package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const roomLow = 64 << 20 // disk_low of these tests

func roomOptions() testcluster.Options {
	return testcluster.Options{Config: map[string]string{"disk_low": "64MiB", "disk_reserve": "4MiB"}}
}

// leave makes a member's disk look as if it had this much free.
func leave(t *testing.T, free uint64, members ...*testcluster.Member) {
	t.Helper()
	for _, m := range members {
		must(t, m.SetFaults(faults.Faults{DiskFree: free}))
	}
}

// waitRoom waits until a member says that its disk has this much room.
func (b *bank) waitRoom(m *testcluster.Member, want ballastv1.DiskRoom) {
	b.t.Helper()
	must(b.t, testcluster.Until(b.ctx(), "it says how much room there is", func(ctx context.Context) error {
		s, err := m.Status(ctx)
		if err == nil && s.GetDisk().GetRoom() != want {
			err = fmt.Errorf("%s says %v", m.Name, s.GetDisk())
		}
		return err
	}))
}

// tryCredit is one short try of a write that nobody counts on: by what it ends with.
func (b *bank) tryCredit() error {
	ctx, cancel := context.WithTimeout(b.ctx(), 3*time.Second)
	defer cancel()
	account := "account-0"
	_, err := b.client.Credit(ctx, account, 1)
	if err == nil {
		b.expected[account]++
	}
	return err
}

// A leader whose disk is low hands over before it is full, and writes go on. Where the others are low too writes are
// refused and reads go on; with room again all goes on by itself.
func TestDisksThatFillUp(t *testing.T) {
	b := openBank(t, roomOptions())
	b.credit(4)
	first := b.leader()
	leave(t, roomLow-1, first)
	must(t, testcluster.Until(b.ctx(), "another leads", func(ctx context.Context) error {
		leader, err := b.cluster.WaitLeader(ctx)
		if err == nil && leader == first {
			err = errors.New("it still leads")
		}
		return err
	}))
	b.credit(4)
	s, err := first.Status(b.ctx())
	must(t, err)
	if !strings.Contains(s.GetState(), "its disk is low") || s.GetDisk().GetLowBytes() != roomLow {
		t.Errorf("it says %q, %v", s.GetState(), s.GetDisk())
	}
	second := b.leader()
	leave(t, roomLow-1, b.cluster.Members...)
	must(t, testcluster.Until(b.ctx(), "writes are refused", func(context.Context) error {
		var refused *client.StatusError
		err := b.tryCredit()
		if !errors.As(err, &refused) || refused.Code != codes.ResourceExhausted || !errors.Is(err, client.ErrDiskLow) || errors.Is(err, client.ErrUnknownOutcome) {
			return fmt.Errorf("a write ended with %v", err)
		}
		return nil
	}))
	b.check()
	if _, text, err := get(b.ctx(), second, "/readyz"); err != nil || !strings.Contains(text, "its disk is low") {
		t.Errorf("%v, %q", err, text)
	}
	if _, text, err := get(b.ctx(), second, "/metrics"); err != nil || !strings.Contains(text, `ballast_disk_room{level="low"} 1`) {
		t.Errorf("%v: the metrics do not say it", err)
	}
	leave(t, roomLow+roomLow/4, b.cluster.Members...) // above where it was entered, below where it is left
	for _, m := range b.cluster.Members {
		b.waitRoom(m, ballastv1.DiskRoom_DISK_ROOM_LOW)
	}
	if err := b.tryCredit(); !errors.Is(err, client.ErrDiskLow) {
		t.Errorf("a write ended with %v", err)
	}
	must(t, b.cluster.Heal())
	must(t, testcluster.Until(b.ctx(), "writes go on", func(context.Context) error { return b.tryCredit() }))
	b.credit(4)
	b.check()
	b.checkEqual()
}

// A follower whose disk is full takes no more of the log, lives on, is not ready, and catches up when there is room.
func TestFollowerWithAFullDisk(t *testing.T) {
	b := openBank(t, roomOptions())
	full := b.followers()[0]
	leave(t, 1<<20, full)
	b.waitRoom(full, ballastv1.DiskRoom_DISK_ROOM_FULL)
	before, err := full.Status(b.ctx())
	must(t, err)
	if d := before.GetDisk(); d.GetReserveBytes() != 0 || d.GetReserveWantedBytes() != 4<<20 {
		t.Errorf("the reserve was not let go: %v", d)
	}
	b.credit(40)
	after, err := full.Status(b.ctx())
	must(t, err)
	if after.GetLastLogIndex() != before.GetLastLogIndex() || after.GetTerm() != before.GetTerm() || after.GetLastContact().AsDuration() > 5*time.Second {
		t.Errorf("its log went from %d to %d, its term from %d to %d; it heard from a leader %v ago", before.GetLastLogIndex(), after.GetLastLogIndex(),
			before.GetTerm(), after.GetTerm(), after.GetLastContact().AsDuration())
	}
	if code, text, err := get(b.ctx(), full, "/readyz"); err != nil || code != http.StatusServiceUnavailable || !strings.Contains(text, "its disk is full") {
		t.Errorf("%v: %d %q", err, code, text)
	}
	must(t, full.Kill())
	must(t, full.Start()) // starting on a full disk is no worse
	b.waitRoom(full, ballastv1.DiskRoom_DISK_ROOM_FULL)
	must(t, b.cluster.Heal())
	b.checkEqual()
	must(t, testcluster.Until(b.ctx(), "the reserve is made again", func(ctx context.Context) error {
		s, err := full.Status(ctx)
		if err == nil && s.GetDisk().GetReserveBytes() != 4<<20 {
			err = fmt.Errorf("%v", s.GetDisk())
		}
		return err
	}))
	if slices.ContainsFunc(b.cluster.Members, func(m *testcluster.Member) bool { return !m.Running() }) {
		t.Error("a member has ended")
	}
	b.check()
}
