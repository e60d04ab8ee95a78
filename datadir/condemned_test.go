package datadir

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCondemnedIsKeptAndCounted: until it is pardoned, over restarts; a damaged note is a note, too.
func TestCondemnedIsKeptAndCounted(t *testing.T) {
	dir := mustInit(t)
	note := Condemned{At: time.Unix(1_800_000_000, 0).UTC(), Reason: "bit 3", Index: 77, Agreed: 70}
	reopen := func() *Dir {
		d, err := Open(dir)
		must(t, err)
		t.Cleanup(func() { _ = d.Close() })
		return d
	}
	d := reopen()
	if c, err := d.Condemned(); c != nil || err != nil {
		t.Fatalf("a new directory: %+v, %v", c, err)
	}
	must(t, d.Condemn(note))
	must(t, d.Close())
	d = reopen()
	must(t, d.Condemn(note))
	c, err := d.Condemned()
	must(t, err)
	if want := note; c == nil || c.Times != 2 || c.Index != want.Index || c.Agreed != want.Agreed || c.Reason != want.Reason {
		t.Fatalf("found %+v", c)
	}
	wantProblem(t, d.RefuseDamaged(errors.New("bit 3")), Damaged, "bit 3")
	must(t, os.WriteFile(filepath.Join(dir, condemnedName), []byte("x"), fileMode))
	if c, err = d.Condemned(); err != nil || c == nil || c.Agreed != 0 || c.Reason == "" {
		t.Fatalf("a damaged note: %+v, %v", c, err)
	}
	must(t, d.Pardon())
	must(t, d.Pardon())
	if c, err := d.Condemned(); c != nil || err != nil {
		t.Fatalf("pardoned: %+v, %v", c, err)
	}
}

// TestPeersAreNoted, replaced, and named where they are damaged.
func TestPeersAreNoted(t *testing.T) {
	dir := mustInit(t)
	d, err := Open(dir)
	must(t, err)
	t.Cleanup(func() { _ = d.Close() })
	if peers, err := d.Peers(); peers != nil || err != nil {
		t.Fatalf("a new directory: %v, %v", peers, err)
	}
	for _, want := range [][]Peer{{{"a/1", "h:1"}, {"b/2", "h:2"}}, {{"b/2", "h:3"}}, nil} {
		must(t, d.WritePeers(want))
		if peers, err := d.Peers(); err != nil || !slices.Equal(peers, want) {
			t.Fatalf("noted %v, found %v, %v", want, peers, err)
		}
	}
	must(t, os.WriteFile(filepath.Join(dir, peersName), []byte("x"), fileMode))
	if peers, err := d.Peers(); err == nil || peers != nil {
		t.Fatalf("a damaged note: %v, %v", peers, err)
	}
}
