package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/snapshotparts"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// inspectProgress is the time between two lines about how far a verification is.
const inspectProgress = 2 * time.Second

func newSnapshotInspectCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "inspect [MEMBER]",
		Short: "Show the tables and packs of a member's newest snapshot",
		Long: "Show the tables and packs of the newest snapshot of MEMBER, or of any member: those of one index are the\n" +
			"same, page for page. --data-dir looks at a stopped member's disk instead. Nothing is changed.",
		Example: "  ballast snapshot inspect node-2\n  ballast snapshot inspect --data-dir /var/lib/ballast",
	}
	return a.snapshotLook(cmd, false, func(ctx context.Context, c *client.Client, list []client.MemberStatus) error {
		report, err := c.Operator().InspectSnapshot(ctx, list[0].Endpoint, false, nil)
		if err != nil {
			return operatorError(err)
		}
		view := viewReport(report)
		return a.write(view.parts(), view)
	})
}

func newSnapshotVerifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [MEMBER]",
		Short: "Read members' newest snapshots and journals, and find damage",
		Long: "Have MEMBER, or one member after the other, read every page of its newest snapshot and its whole journal,\n" +
			"and say what is damaged and what to do. What is found is mended as by the checks that members make all the\n" +
			"time (ballast status -o json, scrubs). It goes no faster than transfer_rate (ballast settings). --timeout\n" +
			"does not bound it. --data-dir looks at a stopped member's disk instead, where nothing is changed. Exits 1\n" +
			"where anything is damaged or missing, 3 where a member does not answer.",
		Example: "  ballast snapshot verify\n  ballast snapshot verify node-2\n  ballast snapshot verify --data-dir /var/lib/ballast",
	}
	return a.snapshotLook(cmd, true, a.verifySnapshots)
}

// snapshotLook gives a verb its two ways: members that run, all of them or the one that is named, and the disk of one that does not.
// look gets those that do not answer too where it concerns all.
func (a *app) snapshotLook(cmd *cobra.Command, all bool, look func(context.Context, *client.Client, []client.MemberStatus) error) *cobra.Command {
	var dir string
	online := a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		list := lookAround(ctx, c)
		slices.SortFunc(list, func(x, y client.MemberStatus) int { return strings.Compare(x.Status.GetName(), y.Status.GetName()) })
		if len(args) == 1 {
			list = slices.DeleteFunc(list, func(m client.MemberStatus) bool { return m.Status.GetName() != args[0] })
			if len(list) == 0 {
				return codeError{code: exitUnavailable, err: fmt.Errorf("expected member %q, found none of that name that answers: ballast status", args[0])}
			}
		}
		if !all {
			list = slices.DeleteFunc(list, func(m client.MemberStatus) bool { return m.Status == nil })
			if len(list) == 0 {
				return codeError{code: exitUnavailable, err: fmt.Errorf("no member answers: ballast status")}
			}
		}
		return look(ctx, c, list)
	})
	cmd.Args = cobra.MaximumNArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case dir == "":
			return online(cmd, args)
		case len(args) > 0:
			return usagef("--data-dir is of one stopped member: %s is one too many", args[0])
		}
		return a.lookOffline(cmd.Context(), cmd.Name(), dir)
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", dataDirHelp)
	return cmd
}

// verifySnapshots has one member after the other read what it has: together they would be felt.
func (a *app) verifySnapshots(ctx context.Context, c *client.Client, list []client.MemberStatus) error {
	view := &verifiedView{Sound: true, Members: []*reportView{}}
	silent := 0
	for _, m := range list {
		if m.Status == nil {
			silent++
			a.note("%s does not answer: what it has was not read: %s", m.Endpoint, inWords(m.Err))
			continue
		}
		report, err := c.Operator().InspectSnapshot(ctx, m.Endpoint, true, a.progressOf(m.Status.GetName()))
		if err != nil {
			return operatorError(err)
		}
		member := viewReport(report)
		view.Members = append(view.Members, member)
		view.Sound = view.Sound && len(member.Findings) == 0
		a.note("%s", member.summary())
	}
	if err := a.write(view.grid(), view); err != nil {
		return err
	}
	switch {
	case !view.Sound:
		return codeError{code: exitFailed}
	case silent > 0:
		return codeError{code: exitUnavailable}
	}
	return nil
}

// progressOf says now and then how far a member is.
func (a *app) progressOf(member string) func(read, of uint64) {
	said := time.Now()
	return func(read, of uint64) {
		if time.Since(said) < inspectProgress {
			return
		}
		said = time.Now()
		a.note("%s has read %s of about %s", member, render.Bytes(read), render.Bytes(of))
	}
}

// reportView is what a member has, in JSON.
type reportView struct {
	Member string `json:"member"`
	// Snapshot is null where there is none yet.
	Snapshot *reportSnapshot `json:"snapshot"`
	Journal  reportJournal   `json:"journal"`
	Findings []reportFinding `json:"findings"`
}

type reportSnapshot struct {
	Index     uint64                `json:"index"`
	Term      uint64                `json:"term"`
	Digest    string                `json:"digest"`
	Pages     uint64                `json:"pages"`
	Bytes     uint64                `json:"bytes"`
	PackBytes uint64                `json:"pack_bytes"`
	Tables    []snapshotparts.Table `json:"tables"`
	Packs     []snapshotparts.Pack  `json:"packs"`
}

type reportJournal struct {
	Entries uint64 `json:"entries"`
	Bytes   uint64 `json:"bytes"`
}

type reportFinding struct {
	File string `json:"file"`
	What string `json:"what"`
	Do   string `json:"do"`
}

// verifiedView is all members', in JSON.
type verifiedView struct {
	Sound   bool          `json:"sound"`
	Members []*reportView `json:"members"`
}

func viewReport(r *ballastv1.SnapshotReport) *reportView {
	v := &reportView{Member: r.GetMember(), Journal: reportJournal{r.GetJournalEntries(), r.GetJournalBytes()}, Findings: []reportFinding{}}
	for _, f := range r.GetFindings() {
		v.Findings = append(v.Findings, reportFinding{f.GetFile(), f.GetWhat(), f.GetDo()})
	}
	s := r.GetSnapshot()
	if s == nil {
		return v
	}
	v.Snapshot = &reportSnapshot{
		Index: s.GetIndex(), Term: s.GetTerm(), Digest: r.GetDigest(), Pages: s.GetPages(), Bytes: s.GetBytes(), PackBytes: s.GetPackBytes(),
		Tables: []snapshotparts.Table{}, Packs: []snapshotparts.Pack{},
	}
	for _, t := range r.GetTables() {
		v.Snapshot.Tables = append(v.Snapshot.Tables, snapshotparts.Table{
			Table: t.GetTable(), Pages: t.GetPages(), Bytes: t.GetBytes(), Newest: t.GetNewestIndex(), RecordBytes: t.GetRecordBytes(),
		})
	}
	for _, p := range r.GetPacks() {
		v.Snapshot.Packs = append(v.Snapshot.Packs, snapshotparts.Pack{Pack: p.GetPack(), Length: p.GetLength(), Pages: p.GetPages(), Bytes: p.GetBytes()})
	}
	return v
}

// parts is a row for each table and pack.
func (v *reportView) parts() *render.Grid {
	if v.Snapshot == nil {
		return snapshotparts.Grid(nil, nil)
	}
	return snapshotparts.Grid(v.Snapshot.Tables, v.Snapshot.Packs)
}

// summary says what was read of a member.
func (v *reportView) summary() string {
	snapshot := "it has no snapshot yet"
	if s := v.Snapshot; s != nil {
		snapshot = fmt.Sprintf("the snapshot of index %d was read, %d pages, %s", s.Index, s.Pages, render.Bytes(s.Bytes))
	}
	verdict := "all of it is sound"
	if n := len(v.Findings); n > 0 {
		verdict = fmt.Sprintf("findings: %d", n)
	}
	return fmt.Sprintf("%s: %s, and the journal, %d entries, %s: %s", v.Member, snapshot, v.Journal.Entries, render.Bytes(v.Journal.Bytes), verdict)
}

// grid is a row for each finding.
func (v *verifiedView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "member"}, {Name: "file"}, {Name: "damage"}, {Name: "what_to_do"}}}
	for _, m := range v.Members {
		for _, f := range m.Findings {
			g.Add(m.Member, f.File, f.What, f.Do)
		}
	}
	return g
}
