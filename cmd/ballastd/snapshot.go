package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/snapshotparts"
	"github.com/ballastdb/ballast/server/node"
)

// snapshotCommand is the noun "snapshot": what a stopped member has on its disk.
func snapshotCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "snapshot",
		Short: "Look at the newest snapshot of a stopped member",
		Long: "Look at the newest snapshot of a stopped member. Nothing is changed; the data directory of a running one is\n" +
			"refused (ballast snapshot list and ballast status show what that has).",
	}
	for _, v := range []struct {
		name, short string
		verify      bool
		grid        func(*lookView) *render.Grid
	}{
		{"list", "Show the newest snapshot in a line", false, (*lookView).list},
		{"inspect", "Show its tables and packs", false, (*lookView).inspect},
		{"verify", "Read every page and the whole journal, and say what is damaged and what to do", true, (*lookView).verify},
	} {
		cmd.AddCommand(snapshotVerb(io, v.name, v.short, v.verify, v.grid))
	}
	return cmd
}

func snapshotVerb(io stdio, name, short string, verify bool, grid func(*lookView) *render.Grid) *cobra.Command {
	var dir, output string
	cmd := &cobra.Command{
		Use: name + " --data-dir D", Short: short, Args: cobra.NoArgs,
		Example: "  ballastd snapshot " + name + " --data-dir /var/lib/ballast",
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		format, err := render.ParseFormat(output)
		if err != nil {
			return err
		}
		look, err := node.LookAt(dir, verify)
		if err != nil {
			return failed(err)
		}
		view := viewLook(look, dir)
		if err := render.Write(io.out, format, grid(view), view); err != nil {
			return failed(err)
		}
		if !view.Sound {
			return failed(view.damaged(verify))
		}
		if verify && format == render.Table {
			_, err = fmt.Fprintf(io.out, "%s\n", view.summary())
		}
		return failed(err)
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "the stopped member's data directory")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "output `format`: table, json or csv")
	if err := cmd.MarkFlagRequired("data-dir"); err != nil {
		panic(err) // Only where the flag is not declared above.
	}
	return cmd
}

// lookView is what was found, in JSON.
type lookView struct {
	Member    string `json:"member"`
	ClusterID string `json:"cluster_id"`
	DataDir   string `json:"data_dir"`
	// Sound: nothing was found that somebody must see to, as far as was looked.
	Sound    bool           `json:"sound"`
	Snapshot *snapshotView  `json:"snapshot"`
	Journal  *journalView   `json:"journal"`
	Findings []node.Finding `json:"findings"`
}

// snapshotView is the newest snapshot; null where there is none that can be read.
type snapshotView struct {
	File      string                `json:"file"`
	Index     uint64                `json:"index"`
	Term      uint64                `json:"term"`
	At        string                `json:"at"`
	Digest    string                `json:"digest"`
	Pages     int                   `json:"pages"`
	Bytes     uint64                `json:"bytes"`
	PackBytes uint64                `json:"pack_bytes"`
	Tables    []snapshotparts.Table `json:"tables"`
	Packs     []snapshotparts.Pack  `json:"packs"`
	// Verified pages; 0: they were not read.
	Verified int `json:"verified_pages"`
}

// journalView is the journal; null where it was not read.
type journalView struct {
	Segments int    `json:"segments"`
	Entries  uint64 `json:"entries"`
	Bytes    uint64 `json:"bytes"`
	Holes    int    `json:"holes"`
	Needed   uint64 `json:"needed_entries"`
}

func viewLook(l *node.Look, dir string) *lookView {
	v := &lookView{
		Member: l.Identity.Name, ClusterID: l.Identity.ClusterID.String(), DataDir: dir, Sound: l.Sound(),
		Findings: append([]node.Finding{}, l.Findings()...),
	}
	if s := l.Snapshots; s.Manifest != "" && len(s.Digest) > 0 {
		v.Snapshot = &snapshotView{
			File: s.Manifest, Index: s.Index, Term: s.Term, At: l.At.UTC().Format(time.RFC3339), Digest: s.Digest, Pages: s.Pages, Bytes: s.Bytes,
			PackBytes: s.PackBytes, Tables: []snapshotparts.Table{}, Packs: []snapshotparts.Pack{}, Verified: s.Checked,
		}
		for _, t := range s.Tables {
			v.Snapshot.Tables = append(v.Snapshot.Tables, snapshotparts.Table{
				Table: uint32(t.ID), Pages: uint64(t.Pages), Bytes: t.Bytes, Newest: t.Newest, RecordBytes: t.RecordBytes,
			})
		}
		for _, p := range s.Packs {
			v.Snapshot.Packs = append(v.Snapshot.Packs, snapshotparts.Pack{Pack: p.Number, Length: p.Length, Pages: uint64(p.Pages), Bytes: p.Bytes})
		}
	}
	if j := l.Journal; j != nil {
		v.Journal = &journalView{j.Segments, j.End.Sequence, j.End.Bytes, len(j.Holes), l.Needed.Sequence}
	}
	return v
}

func (v *lookView) list() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "member"},
		{Name: "index", Right: true},
		{Name: "term", Right: true},
		{Name: "at"},
		{Name: "pages", Right: true},
		{Name: "bytes", Right: true},
		{Name: "packs", Right: true},
		{Name: "pack_bytes", Right: true},
		{Name: "digest"},
	}}
	if s := v.Snapshot; s != nil {
		g.Add(v.Member, fmt.Sprint(s.Index), fmt.Sprint(s.Term), s.At, fmt.Sprint(s.Pages), fmt.Sprint(s.Bytes), fmt.Sprint(len(s.Packs)), fmt.Sprint(s.PackBytes), s.Digest)
	}
	return g
}

func (v *lookView) inspect() *render.Grid {
	if v.Snapshot == nil {
		return snapshotparts.Grid(nil, nil)
	}
	return snapshotparts.Grid(v.Snapshot.Tables, v.Snapshot.Packs)
}

func (v *lookView) verify() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "file"}, {Name: "damage"}, {Name: "harmless"}, {Name: "what_to_do"}}}
	for _, f := range v.Findings {
		harmless := "no"
		if f.Harmless {
			harmless = "yes"
		}
		g.Add(f.File, f.What, harmless, f.Do)
	}
	return g
}

// damaged is the error of a look that found something. shown: what it found has been shown.
func (v *lookView) damaged(shown bool) error {
	if shown {
		return errors.New("damaged: see above")
	}
	var found []error
	for _, f := range v.Findings {
		found = append(found, fmt.Errorf("%s: %s; %s", f.File, f.What, f.Do))
	}
	return errors.Join(found...)
}

// summary says what was read and found sound.
func (v *lookView) summary() string {
	snapshot := "there is no snapshot yet"
	if s := v.Snapshot; s != nil {
		snapshot = fmt.Sprintf("the snapshot of index %d is sound: %d pages, %s", s.Index, s.Verified, render.Bytes(s.Bytes))
	}
	return fmt.Sprintf("%s; the journal is sound: %d entries in %d segments, %s", snapshot, v.Journal.Entries, v.Journal.Segments, render.Bytes(v.Journal.Bytes))
}
