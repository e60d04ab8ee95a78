package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// memberDetail is what a member tells of its parts, in JSON. What it does not tell is null, or empty.
type memberDetail struct {
	// Phase is what it is about: "serving", "catching up from the log", "catching up from pages", "waiting for a turn",
	// "backfilling the journal", "diverged", "no leader", "waiting for a cluster", "shutting down".
	Phase string `json:"phase"`
	// RecoveryEpoch of its data directory: members of different ones have different histories.
	RecoveryEpoch uint64 `json:"recovery_epoch"`
	// LagBytes of the log that its state does not show, and how far its log time is behind; null: not known.
	LagBytes   *uint64  `json:"lag_bytes"`
	LagSeconds *float64 `json:"lag_seconds"`
	// CatchUp is null where it is not behind.
	CatchUp   *catchUpView   `json:"catch_up"`
	Snapshot  *snapshotView  `json:"snapshot"`
	Log       *logView       `json:"log"`
	Journal   *journalView   `json:"journal"`
	Verdict   string         `json:"digest_verdict"`
	Transfers []transferView `json:"transfers"`
	Scrubs    []scrubView    `json:"scrubs"`
	Disk      *diskView      `json:"disk"`
	Drift     []string       `json:"drift"`
}

// catchUpView is how a member comes back.
type catchUpView struct {
	EntriesPerSecond float64 `json:"entries_per_second"`
	// LeftSeconds at the present rate; null: not known.
	LeftSeconds *float64 `json:"left_seconds"`
	// Pages is null where it comes back from the log.
	Pages *pagesView `json:"pages"`
}

type pagesView struct {
	SnapshotIndex   uint64   `json:"snapshot_index"`
	Step            string   `json:"step"`
	Total           uint64   `json:"total"`
	Done            uint64   `json:"done"`
	Reused          uint64   `json:"reused"`
	BytesFromLeader uint64   `json:"bytes_from_leader"`
	BytesFromOthers uint64   `json:"bytes_from_others"`
	BytesOfManifest uint64   `json:"bytes_of_manifest"`
	BytesPerSecond  float64  `json:"bytes_per_second"`
	Sources         []string `json:"sources"`
}

type snapshotView struct {
	Index      uint64   `json:"index"`
	Term       uint64   `json:"term"`
	AgeSeconds *float64 `json:"age_seconds"`
	Pages      uint64   `json:"pages"`
	Bytes      uint64   `json:"bytes"`
	Packs      uint32   `json:"packs"`
	PackBytes  uint64   `json:"pack_bytes"`
}

type logView struct {
	Kind       string   `json:"kind"`
	FirstIndex uint64   `json:"first_index"`
	LastIndex  uint64   `json:"last_index"`
	Bytes      uint64   `json:"bytes"`
	AgeSeconds *float64 `json:"age_seconds"`
	Pins       uint32   `json:"pins"`
}

type journalView struct {
	Holes          uint32 `json:"holes"`
	MissingEntries uint64 `json:"missing_entries"`
	MissingBytes   uint64 `json:"missing_bytes"`
	Source         string `json:"source"`
}

type transferView struct {
	To      string     `json:"to"`
	Waiting bool       `json:"waiting"`
	Pages   *pagesView `json:"pages"`
}

type scrubView struct {
	Part             string   `json:"part"`
	Bytes            uint64   `json:"bytes"`
	Passes           uint64   `json:"passes"`
	SinceLastSeconds *float64 `json:"since_last_seconds"`
	Damaged          uint64   `json:"damaged"`
}

type diskView struct {
	FreeBytes uint64 `json:"free_bytes"`
	SizeBytes uint64 `json:"size_bytes"`
	Problem   string `json:"problem"`
	// Room is "ample", "low", "tight", "full", or empty where nobody looks.
	Room               string `json:"room"`
	LowBytes           uint64 `json:"low_bytes"`
	ReserveBytes       uint64 `json:"reserve_bytes"`
	ReserveWantedBytes uint64 `json:"reserve_wanted_bytes"`
}

// low says that a disk has too little room; empty: it has enough.
func (k *diskView) low() string {
	if k.Room == "" || k.Room == "ample" {
		return ""
	}
	return fmt.Sprintf("its disk is %s, %s free of %s: make room (docs/runbooks/disk-full.md), and never by deleting anything in its data directory",
		k.Room, render.Bytes(k.FreeBytes), render.Bytes(k.SizeBytes))
}

// viewDetail takes a member's answer apart.
func viewDetail(s *ballastv1.StatusResponse) memberDetail {
	d := memberDetail{
		Phase: words(s.GetPhase().String(), "PHASE_"), RecoveryEpoch: s.GetRecoveryEpoch(), Verdict: words(s.GetDigestVerdict().String(), "DIGEST_VERDICT_"),
		Transfers: []transferView{}, Scrubs: []scrubView{}, Drift: append([]string{}, s.GetDrift()...),
	}
	if l := s.GetLag(); l != nil {
		bytes := l.GetBytes()
		d.LagBytes, d.LagSeconds = &bytes, secondsOf(l.GetTime())
	}
	if c := s.GetCatchUp(); c != nil {
		d.CatchUp = &catchUpView{EntriesPerSecond: c.GetEntriesPerSecond(), LeftSeconds: secondsOf(c.GetLeft()), Pages: viewPages(c.GetPages())}
	}
	if n := s.GetSnapshot(); n != nil {
		d.Snapshot = &snapshotView{n.GetIndex(), n.GetTerm(), secondsOf(n.GetAge()), n.GetPages(), n.GetBytes(), n.GetPacks(), n.GetPackBytes()}
	}
	if l := s.GetLog(); l != nil {
		d.Log = &logView{l.GetKind(), l.GetFirstIndex(), l.GetLastIndex(), l.GetBytes(), secondsOf(l.GetAge()), l.GetPins()}
	}
	if j := s.GetJournal(); j != nil {
		d.Journal = &journalView{j.GetHoles(), j.GetMissingEntries(), j.GetMissingBytes(), j.GetSource()}
	}
	for _, t := range s.GetTransfers() {
		d.Transfers = append(d.Transfers, transferView{t.GetTo(), t.GetWaiting(), viewPages(t.GetPages())})
	}
	for _, c := range s.GetScrubs() {
		d.Scrubs = append(d.Scrubs, scrubView{c.GetPart(), c.GetBytes(), c.GetPasses(), secondsOf(c.GetSinceLast()), c.GetDamaged()})
	}
	if k := s.GetDisk(); k != nil {
		d.Disk = &diskView{
			k.GetFreeBytes(), k.GetSizeBytes(), k.GetProblem(), words(k.GetRoom().String(), "DISK_ROOM_"), k.GetLowBytes(), k.GetReserveBytes(), k.GetReserveWantedBytes(),
		}
	}
	return d
}

func viewPages(p *ballastv1.Pages) *pagesView {
	if p == nil {
		return nil
	}
	return &pagesView{
		p.GetSnapshotIndex(), p.GetStep(), p.GetTotal(), p.GetDone(), p.GetReused(), p.GetBytesFromLeader(), p.GetBytesFromOthers(),
		p.GetBytesOfManifest(), p.GetBytesPerSecond(), append([]string{}, p.GetSources()...),
	}
}

// words are an enum's name for people; empty: not told.
func words(name, prefix string) string {
	name = strings.TrimPrefix(name, prefix)
	switch name {
	case "UNSPECIFIED":
		return ""
	case "ALONE":
		return "waiting for a cluster"
	case "STOPPING":
		return "shutting down"
	case "CATCHING_UP_FROM_LOG":
		return "catching up from the log"
	case "WAITING_FOR_TURN":
		return "waiting for a turn"
	case "BACKFILLING_JOURNAL":
		return "backfilling the journal"
	}
	return strings.ToLower(strings.ReplaceAll(name, "_", " "))
}

// secondsOf is a duration that may be absent.
func secondsOf(d *durationpb.Duration) *float64 {
	if d == nil {
		return nil
	}
	seconds := d.AsDuration().Seconds()
	return &seconds
}

// done is how much of how much of what is under way is done, and where it comes from.
func (c *catchUpView) done() string {
	if c == nil || c.Pages == nil {
		return ""
	}
	text := fmt.Sprintf("%d of %d pages", c.Pages.Done, c.Pages.Total)
	if len(c.Pages.Sources) > 0 {
		text += " from " + strings.Join(c.Pages.Sources, ", ")
	}
	return text
}

// rate at which it gets on.
func (c *catchUpView) rate() string {
	switch {
	case c == nil:
		return ""
	case c.Pages != nil:
		return render.Bytes(uint64(c.Pages.BytesPerSecond)) + "/s"
	}
	return fmt.Sprintf("%.0f entries/s", c.EntriesPerSecond)
}

// left is how long it takes, in whole seconds.
func (c *catchUpView) left() string {
	if c == nil || c.LeftSeconds == nil {
		return ""
	}
	return time.Duration(*c.LeftSeconds * float64(time.Second)).Round(time.Second).String()
}

func (s *snapshotView) index() string {
	if s == nil {
		return ""
	}
	return strconv.FormatUint(s.Index, 10)
}

// problems are what of a member's detail somebody should do something about.
func (d *memberDetail) problems() (problems []string) {
	if d.Disk != nil && d.Disk.Problem != "" {
		problems = append(problems, "its disk cannot be written: "+d.Disk.Problem)
	}
	if d.Disk != nil && d.Disk.low() != "" {
		problems = append(problems, d.Disk.low())
	}
	for _, c := range d.Scrubs {
		if c.Damaged > 0 {
			problems = append(problems, fmt.Sprintf("%d damaged places in its %s; it mends what it can by itself, its log says more: check the disk and memory of the machine", c.Damaged, c.Part))
		}
	}
	return problems
}
