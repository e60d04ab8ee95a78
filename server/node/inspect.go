package node

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/ballastdb/ballast/fsm/journal"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/repair"
	"github.com/ballastdb/ballast/snapshots"
)

const (
	// inspectReport is how much is read between two words about how far it is.
	inspectReport = 16 << 20
	// maxFindings is how many are told; a disk that lies would name each page.
	maxFindings = 1000

	runningMendsSnapshot = "nothing: this member asks for a snapshot that writes it anew from its memory; if it comes again, replace the disk (docs/runbooks/disk-replaced.md)"
	runningMendsJournal  = "nothing: it is fetched from other members (ballast status shows how far); until then statements that reach back to it say so, balances are right"
)

// inspector looks at this member's disk, for operators.
type inspector struct{ n *node }

// Inspect implements server.Inspector. What it finds is mended as what the scrub finds.
func (i inspector) Inspect(ctx context.Context, verify bool, progress func(read, of uint64) error) (*ballastv1.SnapshotReport, error) {
	report := i.describe()
	if verify {
		if err := i.read(ctx, report, progress); err != nil {
			return nil, err
		}
	}
	for _, h := range i.n.machine.JournalHoles() {
		found(report, "", fmt.Sprintf("entries %d to %d of the journal are not here", h.After.Sequence+1, h.Until.Sequence), runningMendsJournal)
	}
	return report, nil
}

// describe is the report before anything is read.
func (i inspector) describe() *ballastv1.SnapshotReport {
	end := i.n.machine.JournalEnd()
	report := &ballastv1.SnapshotReport{Member: i.n.dir.Identity().Name, JournalEntries: end.Sequence, JournalBytes: end.Bytes}
	d, ok := i.n.snapshots.Describe()
	if !ok {
		return report
	}
	report.Digest = d.Digest
	report.Snapshot = &ballastv1.SnapshotStatus{
		Index: d.Index, Term: d.Term, Pages: uint64(d.Pages), Bytes: d.Bytes, Packs: uint32(len(d.Packs)), PackBytes: d.PackBytes,
	}
	for _, t := range d.Tables {
		report.Tables = append(report.Tables, &ballastv1.SnapshotTable{
			Table: uint32(t.ID), Pages: uint64(t.Pages), Bytes: t.Bytes, NewestIndex: t.Newest, RecordBytes: t.RecordBytes,
		})
	}
	for _, p := range d.Packs {
		report.Packs = append(report.Packs, &ballastv1.SnapshotPack{Pack: p.Number, Length: p.Length, Pages: uint64(p.Pages), Bytes: p.Bytes})
	}
	return report
}

// read reads the snapshot and the journal to their ends, at the pace of all bulk that this member sends.
func (i inspector) read(ctx context.Context, report *ballastv1.SnapshotReport, progress func(read, of uint64) error) error {
	of, read, told := report.GetSnapshot().GetBytes()+report.GetJournalBytes(), uint64(0), uint64(0)
	for _, part := range []repair.Part{i.n.snapshots.Store.Scrub(), i.n.machine.JournalScrub()} {
		for more := true; more; {
			bytes, goesOn, err := part.Next(ctx)
			more = goesOn
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if err != nil {
				i.damage(report, part.Name(), err)
			}
			if err := i.n.transport.Wait(ctx, bytes); err != nil {
				return err
			}
			if read += uint64(bytes); read-told < inspectReport {
				continue
			}
			told = read
			if err := progress(read, max(of, read)); err != nil {
				return err
			}
		}
	}
	return progress(read, read)
}

// damage reports what was found, and has it mended.
func (i inspector) damage(report *ballastv1.SnapshotReport, part string, err error) {
	i.n.foundDamage(part, err)
	var file *snapshots.DamagedError
	switch {
	case errors.As(err, &file) && file.Page != nil:
		found(report, file.File, fmt.Sprintf("page %d of table %d: %v", file.Page.Number, file.Page.Table, file.Reason), runningMendsSnapshot)
	case errors.As(err, &file):
		found(report, file.File, fmt.Sprint(file.Reason), runningMendsSnapshot)
	case errors.Is(err, journal.ErrCorrupt):
		found(report, "", err.Error(), runningMendsJournal)
	default:
		found(report, "", err.Error(), "see this member's log: what cannot be read now may be damaged, or its disk")
	}
}

// found adds a finding, as long as there is room for it.
func found(report *ballastv1.SnapshotReport, file, what, do string) {
	if len(report.Findings) == maxFindings {
		return
	}
	if file != "" {
		file = filepath.Base(file)
	}
	report.Findings = append(report.Findings, &ballastv1.SnapshotFinding{File: file, What: what, Do: do})
}
