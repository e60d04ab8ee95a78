package node

import (
	"path/filepath"
	"testing"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// inspect has the member read all that it has.
func inspect(t *testing.T, operator ballastv1.OperatorServiceClient) *ballastv1.SnapshotReport {
	t.Helper()
	stream, err := operator.InspectSnapshot(t.Context(), &ballastv1.InspectSnapshotRequest{Verify: true})
	must(t, err)
	for {
		answer, err := stream.Recv()
		must(t, err)
		if answer.GetReport() != nil {
			return answer.GetReport()
		}
		if answer.GetReadBytes() > answer.GetOfBytes() {
			t.Errorf("%v", answer)
		}
	}
}

// TestIdleMemberMendsItsPacks: nobody writes, so that no snapshot would ever be due; the scrub finds a damaged page of the newest, and a
// mark has it written anew.
func TestIdleMemberMendsItsPacks(t *testing.T) {
	t.Parallel()
	c := initialised(t, "127.114.0.9")
	r := start(t, c)
	r.status(t)
	operator := ballastv1.NewOperatorServiceClient(r.conn)
	_, err := operator.Bootstrap(t.Context(), &ballastv1.BootstrapRequest{})
	must(t, err)
	must(t, r.submit(t, &ballastv1.Operation{Kind: &ballastv1.Operation_CreateLedger{
		CreateLedger: &ballastv1.CreateLedger{Name: "usd", Asset: "USD", Scale: 6},
	}}))
	_, err = operator.TakeSnapshot(t.Context(), &ballastv1.TakeSnapshotRequest{})
	must(t, err)
	before := r.status(t).GetSnapshot().GetIndex()
	if report := inspect(t, operator); report.GetSnapshot().GetIndex() != before || len(report.GetFindings()) > 0 ||
		len(report.GetTables()) == 0 || len(report.GetPacks()) == 0 || report.GetJournalEntries() == 0 {
		t.Errorf("what is sound is said to be %v", report)
	}
	flip(t, newest(t, filepath.Join(c.DataDir, "snapshots"), "*.pack"), 20)
	// Unless the scrub was faster.
	if report := inspect(t, operator); report.GetSnapshot().GetIndex() == before && len(report.GetFindings()) == 0 && r.status(t).GetSnapshot().GetIndex() == before {
		t.Error("damage was not found")
	}
	eventually(t, "a snapshot that was not due", func() bool {
		time.Sleep(50 * time.Millisecond)
		return r.status(t).GetSnapshot().GetIndex() > before
	})
	mended := r.status(t).GetSnapshot().GetIndex()
	r.end(t)
	r = start(t, c)
	r.waitServing(t)
	if now := r.status(t).GetSnapshot().GetIndex(); now < mended {
		t.Errorf("started again, the newest snapshot is of index %d, it was %d", now, mended)
	}
	r.end(t)
}
