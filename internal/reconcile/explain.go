package reconcile

import (
	"context"
	"fmt"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// explain finds the entries behind each difference that is told.
func (c *comparison) explain(ctx context.Context, ours Ours) error {
	for i := range c.report.Differences {
		d := &c.report.Differences[i]
		if d.ours.absent || c.options.Entries == 0 {
			continue
		}
		if err := c.explainOne(ctx, ours, d); err != nil {
			return fmt.Errorf("entries of account %q: %w", d.Account, err)
		}
	}
	return nil
}

// explainOne walks back from the point that is compared to the newest entry after which our balance was theirs: what came since
// is what they lack, or have otherwise. Where there is none it keeps the newest entries.
func (c *comparison) explainOne(ctx context.Context, ours Ours, d *Difference) error {
	walked := 0
	for e, err := range ours.Statement(ctx, d.Account, c.report.Sequence+1) {
		if err != nil {
			return err
		}
		if c.options.Balance == Posted && !d.theirs.absent && distance(postedAfter(e, d.Account), d.theirs.units) <= uint64(c.options.Tolerance) {
			d.AgreedAt = e.GetSequence()
			break
		}
		if walked++; walked > c.options.Depth {
			break
		}
		if len(d.entries) < c.options.Entries {
			d.entries = append(d.entries, e)
		}
		d.Since++
	}
	if d.AgreedAt == 0 {
		d.Since = 0 // not since anything
	}
	return nil
}

// postedAfter is an account's posted balance right after one of its entries.
func postedAfter(e *ballastv1.Entry, account string) int64 {
	if e.GetDebitAccount() == account {
		return e.GetDebitPosted()
	}
	return e.GetCreditPosted()
}

// moved is what an entry took from one account and gave to the other: nothing where it is about one account alone.
func moved(e *ballastv1.Entry) int64 {
	if e.GetDebitAccount() == "" || e.GetCreditAccount() == "" {
		return 0
	}
	return e.GetAmount()
}
