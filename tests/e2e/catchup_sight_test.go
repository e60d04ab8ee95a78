package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestEmptyMembersAreSeenComing: of two members that join on empty disks one gets its pages and says from whom, how much of how much, and
// how fast, while the other waits for its turn; each has its journal fetched afterwards, and then serves.
func TestEmptyMembersAreSeenComing(t *testing.T) {
	b := openBank(t, testcluster.Options{Members: 4, Idle: 2})
	b.accounts(24_000) // 3 MB of pages, 6 s at the least rate there is
	slow, size := uint64(512<<10), uint64(1<<20)
	_, err := b.client.Operator().SetSettings(b.ctx(), &ballastv1.Settings{
		TransferRate: &slow, BackfillRate: &slow, LogRetentionTime: durationpb.New(time.Second), LogRetentionBytes: &size,
	})
	must(t, err)
	index, err := b.client.Operator().TakeSnapshot(b.ctx())
	must(t, err)
	leader, comers := b.leader(), b.cluster.Members[2:]
	must(t, testcluster.Until(b.ctx(), "the leader has cut its log", func(context.Context) error { return firstIndexAbove(leader, index/2) }))
	for _, m := range comers {
		must(t, b.cluster.Join(b.ctx(), m, false))
	}

	var pages, waits *ballastv1.StatusResponse
	must(t, testcluster.Until(b.ctx(), "one gets pages while the other waits", func(ctx context.Context) error {
		var errs []error
		for i, m := range comers {
			err := inPhase(ctx, m, ballastv1.Phase_PHASE_CATCHING_UP_FROM_PAGES, "catching up from pages", &pages)
			switch {
			case err != nil:
				errs = append(errs, err)
			case pages.GetCatchUp().GetPages().GetDone() == 0 || pages.GetCatchUp().GetPages().GetBytesPerSecond() == 0:
				errs = append(errs, fmt.Errorf("%s: %v", m.Name, pages.GetCatchUp()))
			default:
				return inPhase(ctx, comers[1-i], ballastv1.Phase_PHASE_WAITING_FOR_TURN, "waiting for a turn", &waits)
			}
		}
		return errors.Join(errs...)
	}))
	p := pages.GetCatchUp().GetPages()
	if p.GetTotal() < p.GetDone() || len(p.GetSources()) == 0 || p.GetBytesFromLeader()+p.GetBytesFromOthers() == 0 || p.GetBytesPerSecond() <= 0 || p.GetStep() == "" {
		t.Errorf("on its way: %v", p)
	}
	if !strings.Contains(waits.GetState(), "waits for its turn") || !strings.Contains(pages.GetState(), "is catching up from pages from node-") {
		t.Errorf("they say %q and %q", waits.GetState(), pages.GetState())
	}

	fast := uint64(1 << 30)
	_, err = b.client.Operator().SetSettings(b.ctx(), &ballastv1.Settings{TransferRate: &fast})
	must(t, err)
	var filling *ballastv1.StatusResponse
	must(t, testcluster.Until(b.ctx(), "one has its journal fetched", func(ctx context.Context) error {
		var errs []error
		for _, m := range comers {
			err := inPhase(ctx, m, ballastv1.Phase_PHASE_BACKFILLING_JOURNAL, "backfilling the journal", &filling)
			if err == nil {
				return nil
			}
			errs = append(errs, err)
		}
		return errors.Join(errs...)
	}))
	if j := filling.GetJournal(); j.GetHoles() == 0 || j.GetMissingEntries() == 0 || j.GetMissingBytes() == 0 {
		t.Errorf("its journal: %v", j)
	}
	_, err = b.client.Operator().SetSettings(b.ctx(), &ballastv1.Settings{BackfillRate: &fast})
	must(t, err)
	for _, m := range comers {
		must(t, testcluster.Until(b.ctx(), m.Name+" serves", func(ctx context.Context) error {
			return inPhase(ctx, m, ballastv1.Phase_PHASE_SERVING, "serving", &filling)
		}))
	}
	b.checkEqual()
	b.check()
}

// accounts makes so many more accounts, which nobody uses.
func (b *bank) accounts(count int) {
	b.t.Helper()
	const batch = 1000
	for made := 0; made < count; made += batch {
		ops := make([]*operation, batch)
		for i := range ops {
			ops[i] = client.NewCreateAccount(fmt.Sprintf("more-%06d", made+i), "usd", client.Limits{})
		}
		results, err := b.client.Submit(b.ctx(), ops...)
		must(b.t, err)
		for i, r := range results {
			must(b.t, client.AsRefusal(ops[i], r))
		}
	}
}
