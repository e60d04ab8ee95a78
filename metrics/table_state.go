package metrics

import (
	"github.com/ballastdb/ballast/internal/diskspace"
	"github.com/ballastdb/ballast/server"
)

// snapshotTable is about the snapshots that this member takes.
func snapshotTable() []pulled {
	of := func(value func(s *server.SnapshotFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			if f.Snapshots != nil {
				tell(value(f.Snapshots))
			}
		}
	}
	return []pulled{
		gauge("ballast_snapshot_index", "Log index of the newest snapshot; 0: there is none.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Index) })),
		gauge("ballast_snapshot_age_seconds", "Time since it was published. Absent: there is none.", func(f *server.Facts, tell put) {
			if f.Snapshots == nil {
				return
			}
			if seconds, known := age(f.Snapshots.At); known {
				tell(seconds)
			}
		}),
		gauge("ballast_snapshot_pages", "Pages of it.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Pages) })),
		gauge("ballast_snapshot_bytes", "Bytes of its pages on disk.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Bytes) })),
		gauge("ballast_snapshot_packs", "Packs that hold them.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Packs) })),
		gauge("ballast_snapshot_pack_bytes", "Bytes of these packs, with what no snapshot needs any more: at most twice the live bytes and one pack.", of(func(s *server.SnapshotFacts) float64 { return float64(s.PackBytes) })),
		counter("ballast_snapshots_taken_total", "Snapshots that this process has taken.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Taken) })),
		counter("ballast_snapshots_failed_total", "Snapshots that it could not take; the next mark takes the place of one.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Failed) })),
		counter("ballast_snapshots_skipped_total", "Snapshot marks that it passed over: the one before was still being written, or one was being installed.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Skipped) })),
		gauge("ballast_snapshot_last_bytes", "Bytes that the last one wrote: what had changed since the one before.", of(func(s *server.SnapshotFacts) float64 { return float64(s.Written) })),
		gauge("ballast_snapshot_last_seconds", "How long the last one took to write.", of(func(s *server.SnapshotFacts) float64 { return s.Took.Seconds() })),
	}
}

// integrityTable is about what is kept being what was written, and the disk that it is kept on.
func integrityTable() []pulled {
	journal := func(value func(j *server.JournalFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			if f.Journal != nil {
				tell(value(f.Journal))
			}
		}
	}
	scrub := func(value func(s *server.ScrubFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			for i := range f.Scrub {
				tell(value(&f.Scrub[i]), f.Scrub[i].Part)
			}
		}
	}
	disk := func(value func(d *server.DiskFacts) float64) func(*server.Facts, put) {
		return func(f *server.Facts, tell put) {
			if f.Disk != nil {
				tell(value(f.Disk))
			}
		}
	}
	return []pulled{
		gauge("ballast_journal_entries", "Entries of the journal up to its end, those in holes too.", journal(func(j *server.JournalFacts) float64 { return float64(j.Entries) })),
		gauge("ballast_journal_bytes", "Their bytes.", journal(func(j *server.JournalFacts) float64 { return float64(j.Bytes) })),
		gauge("ballast_journal_holes", "Ranges of the journal that are not here and are fetched from other members.", journal(func(j *server.JournalFacts) float64 { return float64(j.Holes) })),
		gauge("ballast_journal_missing_entries", "Entries in them.", journal(func(j *server.JournalFacts) float64 { return float64(j.MissingEntries) })),
		gauge("ballast_journal_missing_bytes", "Bytes in them.", journal(func(j *server.JournalFacts) float64 { return float64(j.MissingBytes) })),
		gauge("ballast_journal_filled_bytes", "Bytes of the hole that is being filled that this process has fetched from other members.", journal(func(j *server.JournalFacts) float64 { return float64(j.Filled) })),
		gauge("ballast_digest_verdict", "1 for what the newest comparison of digests said of this member, 0 for the rest: agreed; outvoted (it stops); no_majority (writes have stopped). Absent: nothing was compared yet.", func(f *server.Facts, tell put) {
			if f.Verdict == nil {
				return
			}
			tell(flag(f.Verdict.Judgement == server.Agreed), "agreed")
			tell(flag(f.Verdict.Judgement == server.Outvoted), "outvoted")
			tell(flag(f.Verdict.Judgement == server.NoMajority), "no_majority")
		}, "verdict"),
		gauge("ballast_digest_index", "Log index of the checkpoint that was compared.", func(f *server.Facts, tell put) {
			if f.Verdict != nil {
				tell(float64(f.Verdict.Index))
			}
		}),
		counter("ballast_scrub_passes_total", "Complete passes of the background check, by what is checked: memory, packs, journal.", scrub(func(s *server.ScrubFacts) float64 { return float64(s.Passes) }), "part"),
		gauge("ballast_scrub_pass_bytes", "Bytes that its present pass has read.", scrub(func(s *server.ScrubFacts) float64 { return float64(s.Bytes) }), "part"),
		gauge("ballast_scrub_damaged", "Damaged places that its present pass has found, or, where that found none so far, the one before.", scrub(func(s *server.ScrubFacts) float64 { return float64(s.Damaged) }), "part"),
		gauge("ballast_scrub_last_pass_age_seconds", "Time since its last complete pass. Absent: there was none since the start.", func(f *server.Facts, tell put) {
			for i := range f.Scrub {
				if seconds, known := age(f.Scrub[i].Last); known {
					tell(seconds, f.Scrub[i].Part)
				}
			}
		}, "part"),
		gauge("ballast_disk_free_bytes", "Free space of the data directory's file system.", disk(func(d *server.DiskFacts) float64 { return float64(d.Free) })),
		gauge("ballast_disk_size_bytes", "Its size.", disk(func(d *server.DiskFacts) float64 { return float64(d.Size) })),
		gauge("ballast_disk_room", "1 for how much room there is, 0 for the others: ample, low, tight, full (docs/runbooks/disk-full.md). All 0: disk_low is 0.", func(f *server.Facts, tell put) {
			if f.Disk == nil {
				return
			}
			for _, l := range diskspace.Levels() {
				tell(flag(f.Disk.Room == l), l.String())
			}
		}, "level"),
		gauge("ballast_disk_low_bytes", "Free space below which the disk is low.", disk(func(d *server.DiskFacts) float64 { return float64(d.Low) })),
		gauge("ballast_disk_reserve_bytes", "Bytes that the reserve file holds.", disk(func(d *server.DiskFacts) float64 { return float64(d.Reserved) })),
		gauge("ballast_disk_writable", "1 while trial writes to the data directory come back well and in time.", disk(func(d *server.DiskFacts) float64 { return flag(d.Writable) })),
		gauge("ballast_disk_probe_seconds", "How long the last trial write took, fsync included.", disk(func(d *server.DiskFacts) float64 { return d.Took.Seconds() })),
	}
}
