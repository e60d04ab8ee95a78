package node

import (
	"path/filepath"
	"testing"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

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
	flip(t, newest(t, filepath.Join(c.DataDir, "snapshots"), "*.pack"), 20)
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
