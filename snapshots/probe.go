package snapshots

import (
	"context"
	"errors"

	"github.com/ballastdb/ballast/fsm/page"
)

// probePages is how many pages Probe reads, evenly spread.
const probePages = 16

// Probe reads the newest manifest's file and some pages, as giving the snapshot to another member would. nil: it can be
// read, as far as that tells, or there is none.
func (s *Store) Probe(ctx context.Context) error {
	sn, err := s.Newest()
	if err != nil || sn == nil {
		return err
	}
	_, err = s.checkManifest(sn.Manifest)
	buf := make([]byte, page.Size)
	for k := 0; k < probePages && err == nil && sn.Pages() > 0; k++ {
		place := sn.Pages() * k / probePages
		ref := sn.pages[place]
		if err = ctx.Err(); err == nil {
			err = sn.openPacks[ref.pack].read(sn.id(place), ref, buf)
		}
	}
	return errors.Join(err, sn.Close())
}
