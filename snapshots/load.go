package snapshots

import (
	"errors"

	"github.com/ballastdb/ballast/fsm/page"
)

// Load gives the newest snapshot, every page of it checked, to its owner, as if another member had sent it: so that raft,
// which restores it next, finds it made ready, and damage is found while something can still be done about it. It does
// nothing where there is no snapshot. alive is told now and then how many pages of how many are loaded,
// also while indexes are rebuilt behind the last one, and ends it with its error.
//
// A *DamagedError is damage of the files. Other errors are the owner's, which tells itself what it found damaged.
func (s *RaftStore) Load(alive func(done, total int) error) (err error) {
	sn, err := s.Store.Newest()
	if err != nil || sn == nil {
		return err
	}
	defer func() { err = errors.Join(err, sn.Close()) }()
	meta, err := decodeRaftMeta(sn.Manifest.Meta)
	if err != nil {
		return &DamagedError{File: s.Store.newestPath(), Reason: err}
	}
	r, err := s.Owner.Receive(meta.owner, sn.Digest)
	if err != nil {
		return err
	}
	if err := load(sn, r, alive); err != nil {
		return errors.Join(err, r.Abort())
	}
	return nil
}

func load(sn *Snapshot, r Receiver, alive func(done, total int) error) error {
	for _, t := range sn.tables {
		if err := r.Reserve(t.id, int(t.record), t.first, t.count); err != nil {
			return err
		}
	}
	done := 0
	err := sn.Walk(func(p page.Page) error {
		if done++; done%reportEvery == 0 {
			if err := alive(done, sn.Pages()); err != nil {
				return err
			}
		}
		return r.Page(p)
	})
	if err != nil {
		return err
	}
	return r.Commit(func() error { return alive(done, sn.Pages()) })
}
