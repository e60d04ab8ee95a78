package importer

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// clockDoubt is how far this machine's clock may be ahead of log time without a question; the store refuses a stamp that
// is a minute ahead, for good.
const clockDoubt = 30 * time.Second

// stamp is the issued_at of a file's operations: this machine's time, unless that is ahead of the cluster's.
//
// A stamp too far ahead would have every row refused as too early, and that is final for its id. Log time is known from
// the reads before; where the clock is not much ahead of it there is nothing to ask. But log time moves with changes
// only, so a clock that is ahead is either fast, or right and the store idle; and to stamp with the old log time of an
// idle store could have every row refused as too old. So the store is asked for a change that it is sure to refuse, the
// creation of the ledger that is there: the answer's log time is the present. That operation's id is none of the file's.
//
// A clock behind log time is slow for certain: log time is never ahead of the cluster's own.
func (r *run) stamp(ctx context.Context) (int64, error) {
	now := r.store.Now().UnixNano()
	if r.logTime == 0 {
		return now, nil // the file has no accounts, so nothing is sent
	}
	if now-r.logTime <= int64(clockDoubt) {
		return max(now, r.logTime), nil
	}
	probe := &ballastv1.Operation{
		Id: "import-clock:" + rand.Text(), Attempt: 1, IssuedAt: r.logTime,
		Kind: &ballastv1.Operation_CreateLedger{
			CreateLedger: &ballastv1.CreateLedger{Name: r.Ledger, Asset: r.asset, Scale: r.scale},
		},
	}
	if _, _, err := r.submit(ctx, []*ballastv1.Operation{probe}); err != nil {
		return 0, fmt.Errorf("ask for the cluster's time: %w", err)
	}
	corrected := r.store.Now().UnixNano()
	if fast := time.Duration(now - corrected); fast > clockDoubt {
		r.Progress.Note(fmt.Sprintf("this machine's clock is about %s ahead of the cluster's; the file is stamped with the cluster's time",
			fast.Round(time.Second)))
	}
	return corrected, nil
}
