package server

import (
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/internal/diskspace"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// showFacts puts what the parts of a member tell into its status.
func showFacts(s *ballastv1.StatusResponse, f *Facts) {
	s.Phase = phaseProto(f.Standing.Phase)
	if f.Standing.Known {
		s.Lag = &ballastv1.Lag{Entries: f.Standing.LagEntries, Bytes: f.Standing.LagBytes, Time: durationpb.New(f.Standing.Lag)}
	}
	if f.Install != nil || f.Standing.Behind() {
		s.CatchUp = catchUpProto(f)
	}
	if l := f.Log; l != nil {
		s.Log = &ballastv1.LogStatus{Kind: l.Kind, FirstIndex: l.First, LastIndex: l.Last, Bytes: l.Bytes, Age: known(l.Age), Pins: uint32(l.Pins)}
	}
	if n := f.Snapshots; n != nil && n.Index > 0 {
		s.Snapshot = &ballastv1.SnapshotStatus{
			Index: n.Index, Term: n.Term, Age: ageProto(n.At), Pages: uint64(n.Pages), Bytes: n.Bytes, Packs: uint32(n.Packs), PackBytes: n.PackBytes,
		}
	}
	if n := f.Snapshots; n != nil && n.Writing > 0 {
		s.SnapshotWriting = &ballastv1.SnapshotWriting{Index: n.Writing, Pages: n.WritingPages, OfPages: n.WritingOf}
	}
	if j := f.Journal; j != nil {
		s.Journal = &ballastv1.JournalStatus{
			Holes: uint32(j.Holes), MissingEntries: j.MissingEntries, MissingBytes: j.MissingBytes, Source: j.Source,
		}
	}
	if v := f.Verdict; v != nil {
		s.DigestVerdict, s.DigestVerdictText = verdictProto(v.Judgement), v.String()
	}
	for _, t := range f.Transfers {
		s.Transfers = append(s.Transfers, &ballastv1.SnapshotTransfer{To: t.To, Waiting: t.Waiting, Pages: pagesProto(&t.InstallFacts, 0)})
	}
	for _, c := range f.Scrub {
		s.Scrubs = append(s.Scrubs, &ballastv1.ScrubStatus{Part: c.Part, Bytes: c.Bytes, Passes: c.Passes, SinceLast: ageProto(c.Last), Damaged: c.Damaged})
	}
	if d := f.Disk; d != nil {
		s.Disk = &ballastv1.DiskStatus{FreeBytes: d.Free, SizeBytes: d.Size, Problem: d.Problem, Room: roomProto(d.Room), LowBytes: d.Low, ReserveBytes: d.Reserved, ReserveWantedBytes: d.ReserveWanted}
	}
}

func catchUpProto(f *Facts) *ballastv1.CatchUp {
	c := &ballastv1.CatchUp{EntriesPerSecond: f.Standing.EntriesRate, Left: known(f.Standing.Left)}
	if f.Install != nil {
		c.Pages = pagesProto(f.Install, f.Standing.BytesRate)
	}
	return c
}

func pagesProto(i *InstallFacts, rate float64) *ballastv1.Pages {
	return &ballastv1.Pages{
		SnapshotIndex: i.Index, Step: i.Step, Total: i.PagesTotal, Done: i.PagesDone, Reused: i.PagesReused,
		BytesFromLeader: i.BytesLeader, BytesFromOthers: i.BytesOthers, BytesOfManifest: i.BytesManifest,
		BytesPerSecond: rate, Sources: i.Sources,
	}
}

// known leaves a duration out that is not known.
func known(d time.Duration) *durationpb.Duration {
	if d <= 0 {
		return nil
	}
	return durationpb.New(d)
}

func ageProto(t time.Time) *durationpb.Duration {
	if t.IsZero() {
		return nil
	}
	return durationpb.New(max(time.Since(t), 0))
}

func phaseProto(p Phase) ballastv1.Phase {
	switch p {
	case PhaseServing:
		return ballastv1.Phase_PHASE_SERVING
	case PhaseLog:
		return ballastv1.Phase_PHASE_CATCHING_UP_FROM_LOG
	case PhasePages:
		return ballastv1.Phase_PHASE_CATCHING_UP_FROM_PAGES
	case PhaseTurn:
		return ballastv1.Phase_PHASE_WAITING_FOR_TURN
	case PhaseJournal:
		return ballastv1.Phase_PHASE_BACKFILLING_JOURNAL
	case PhaseDiverged:
		return ballastv1.Phase_PHASE_DIVERGED
	case PhaseNoLeader:
		return ballastv1.Phase_PHASE_NO_LEADER
	case PhaseAlone:
		return ballastv1.Phase_PHASE_ALONE
	case PhaseStopping:
		return ballastv1.Phase_PHASE_STOPPING
	}
	return ballastv1.Phase_PHASE_UNSPECIFIED
}

func roomProto(l diskspace.Level) ballastv1.DiskRoom {
	switch l {
	case diskspace.Ample:
		return ballastv1.DiskRoom_DISK_ROOM_AMPLE
	case diskspace.Low:
		return ballastv1.DiskRoom_DISK_ROOM_LOW
	case diskspace.Tight:
		return ballastv1.DiskRoom_DISK_ROOM_TIGHT
	case diskspace.Full:
		return ballastv1.DiskRoom_DISK_ROOM_FULL
	}
	return ballastv1.DiskRoom_DISK_ROOM_UNSPECIFIED
}

func verdictProto(j Judgement) ballastv1.DigestVerdict {
	switch j {
	case Agreed:
		return ballastv1.DigestVerdict_DIGEST_VERDICT_AGREED
	case Outvoted:
		return ballastv1.DigestVerdict_DIGEST_VERDICT_OUTVOTED
	case NoMajority:
		return ballastv1.DigestVerdict_DIGEST_VERDICT_NO_MAJORITY
	}
	return ballastv1.DigestVerdict_DIGEST_VERDICT_UNSPECIFIED
}

// standing says in words how a member is coming back; empty: it is not behind.
func standing(f *Facts) string {
	st := f.Standing
	left := ""
	if st.Left > 0 {
		left = fmt.Sprintf(", about %s left", st.Left.Round(time.Second))
	}
	switch st.Phase {
	case PhasePages:
		i := f.Install
		from := ""
		if len(i.Sources) > 0 {
			from = " from " + strings.Join(i.Sources, ", ")
		}
		return fmt.Sprintf("is catching up from pages%s: %d of %d pages, %s received%s; it votes meanwhile and harms nobody, let it go on",
			from, i.PagesDone, i.PagesTotal, render.Bytes(i.Bytes()), left)
	case PhaseTurn:
		return "waits for its turn to get a snapshot, others get theirs first; nothing is wrong, do not restart it"
	case PhaseLog:
		return fmt.Sprintf("is catching up from the log: %d entries behind, about %s and %s of log time%s; let it go on",
			st.LagEntries, render.Bytes(st.LagBytes), st.Lag.Round(time.Millisecond), left)
	case PhaseJournal:
		from := "the other members"
		if f.Journal.Source != "" {
			from = f.Journal.Source
		}
		return fmt.Sprintf("is backfilling its journal from %s: %d older entries are on their way, statements that reach back to them say so; balances are complete",
			from, f.Journal.MissingEntries)
	}
	return ""
}
