package e2e

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const year = 365 * 24 * time.Hour

// jump sets members' clocks off.
func jump(t *testing.T, by time.Duration, members ...*testcluster.Member) {
	t.Helper()
	for _, m := range members {
		must(t, m.SetFaults(faults.Faults{ClockOffset: by}))
	}
}

// logTimeAhead is how far log time is ahead of the true time.
func (b *bank) logTimeAhead() time.Duration {
	b.t.Helper()
	s, err := b.leader().Status(b.ctx())
	must(b.t, err)
	return time.Until(time.Unix(0, s.GetLogTime()))
}

// A follower's clock that jumps by a year, and then the leader's, moves log time by nothing: writes go on, what was done under an id is
// still remembered, and a hold of an hour is open. Only what a majority's clocks show for good can be followed, and then at once by command alone.
func TestClocksThatJump(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.credit(8)
	hold, _, err := b.client.Hold(b.ctx(), "account-3", 4, client.HoldTerms{Timeout: time.Hour, InParts: true})
	must(t, err)
	odd := b.followers()[0]
	for range 2 {
		jump(t, year, odd)
		b.credit(8)
		must(t, testcluster.Until(b.ctx(), "the leader sees it", func(ctx context.Context) error {
			s, err := b.leader().Status(ctx)
			if err != nil {
				return err
			}
			for _, m := range s.GetClock().GetMembers() {
				if m.GetName() == odd.Name && m.GetOffset() != nil && m.GetOffset().AsDuration() > year-time.Hour {
					return nil
				}
			}
			return fmt.Errorf("it says %v", s.GetClock())
		}))
		b.credit(4)
		if ahead := b.logTimeAhead(); ahead.Abs() > time.Minute {
			t.Fatalf("log time is ahead by %v", ahead)
		}
		_, err := b.client.CaptureHold(b.ctx(), hold, client.Capture{Amount: 1, To: "account-0"})
		must(t, err) // refused, had it expired
		b.expected["account-3"]--
		b.expected["account-0"]++
		if forward, err := b.client.Operator().MendClock(b.ctx(), year); err == nil {
			t.Errorf("log time was stepped by %v", forward)
		}
		must(t, b.cluster.Heal())
		odd = b.leader()
	}
	jump(t, time.Hour, b.cluster.Members...)
	must(t, testcluster.Until(b.ctx(), "log time is mended", func(ctx context.Context) error {
		_, err := b.client.Operator().MendClock(ctx, time.Hour)
		return err
	}))
	b.credit(4)
	// An hour that an operator had pass has passed for the hold too.
	must(t, testcluster.Until(b.ctx(), "the hold has expired", func(ctx context.Context) error {
		h, err := b.client.GetHold(ctx, hold)
		if err == nil && h.GetState() != ballastv1.HoldState_HOLD_STATE_EXPIRED {
			err = fmt.Errorf("it is %v", h)
		}
		return err
	}))
	if ahead := b.logTimeAhead(); ahead < 50*time.Minute || ahead > 70*time.Minute {
		t.Errorf("log time is ahead by %v", ahead)
	}
	b.check()
	b.checkEqual()
}
