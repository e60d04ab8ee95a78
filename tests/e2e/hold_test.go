package e2e

import (
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestHoldsOutliveTheirLeader: holds made under one leader are captured under another, expire with nobody writing, and are the
// same on a member that comes back with what it had on its disk.
func TestHoldsOutliveTheirLeader(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	const account = "account-0"
	_, err := b.client.Credit(b.ctx(), account, 100)
	must(t, err)
	kept, _, err := b.client.Hold(b.ctx(), account, 30, client.HoldTerms{Timeout: time.Hour, InParts: true})
	must(t, err)
	brief, _, err := b.client.Hold(b.ctx(), account, 20, client.HoldTerms{Timeout: time.Second})
	must(t, err)

	leader := b.leader()
	must(t, leader.Kill())
	part, err := b.client.CaptureHold(b.ctx(), kept, client.Capture{Amount: 10, To: "account-1"})
	must(t, err)
	if part.GetAmount() != 10 {
		t.Fatalf("captured %v, want 10", part)
	}
	for { // nothing is written: the leader's tick ends it
		hold, err := b.client.GetHold(b.ctx(), brief)
		must(t, err)
		if hold.GetState() != ballastv1.HoldState_HOLD_STATE_OPEN {
			if hold.GetState() != ballastv1.HoldState_HOLD_STATE_EXPIRED || hold.GetCaptured() != 0 {
				t.Fatalf("the brief hold is %v, want it expired and nothing captured", hold)
			}
			break
		}
	}
	must(t, leader.Start())
	b.expected[account], b.expected["account-1"] = 90, 10
	b.check()
	got, err := b.client.Account(b.ctx(), account)
	must(t, err)
	if got.Held != 20 || got.Available != 70 {
		t.Fatalf("held %d and available %d, want 20 and 70", got.Held, got.Available)
	}
	_, err = b.client.VoidHold(b.ctx(), kept)
	must(t, err)
	if _, err := b.client.CaptureHold(b.ctx(), kept, client.Capture{}); err == nil {
		t.Fatal("a hold that was voided was captured")
	}
	b.checkEqual()
}
