package importer

import (
	"context"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// However long nothing could be sent, over any span no more rows pass than its length and the burst allow.
func TestPaceMakesUpForABurstAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.Float64Range(0.5, 5000).Draw(t, "rate")
		p := newPace(rate)
		now := time.Unix(1_700_000_000, 0)
		type sent struct {
			at   time.Time
			rows int
		}
		var all []sent
		for range rapid.IntRange(1, 40).Draw(t, "batches") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(5*time.Second)).Draw(t, "idle")))
			rows := rapid.IntRange(1, p.batch()).Draw(t, "rows")
			now = now.Add(max(0, p.take(now, rows)))
			all = append(all, sent{now, rows})
		}
		for i := range all {
			rows := 0
			for _, s := range all[i:] {
				rows += s.rows
				// The first batch has saved up for maxBurst, and its first row is due at once.
				allowed := float64(s.at.Sub(all[i].at)+maxBurst)/float64(p.every) + 1
				if over := float64(rows) - allowed - float64(all[i].rows-1); over > 0.001 {
					t.Fatalf("%d rows within %s at %g a second", rows, s.at.Sub(all[i].at), rate)
				}
			}
		}
	})
}

// Rows that wait for an answer are bounded: they would all arrive at once.
func TestPaceBoundsRowsUnderWay(t *testing.T) {
	p := newPace(2000)
	leave, err := p.enter(t.Context(), p.most)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.enter(ended, 1); err == nil {
		t.Error("one row more than may be under way")
	}
	leave()
	leave, err = p.enter(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if unlimited := newPace(0); unlimited.batch() != batchRows {
		t.Error("no limit, and yet one")
	}
}
