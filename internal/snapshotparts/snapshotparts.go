// Package snapshotparts shows what a snapshot is made of: alike for members that run, by ballast, and for disks, by ballastd.
package snapshotparts

import (
	"fmt"

	"github.com/ballastdb/ballast/internal/render"
)

// Table is one table of the state, in JSON.
type Table struct {
	Table  uint32 `json:"table"`
	Pages  uint64 `json:"pages"`
	Bytes  uint64 `json:"bytes"`
	Newest uint64 `json:"newest_index"`
	// RecordBytes of one record; 0: not known.
	RecordBytes uint32 `json:"record_bytes"`
}

// Pack is one file of pages, in JSON.
type Pack struct {
	Pack   uint64 `json:"pack"`
	Length uint64 `json:"length"`
	// Pages in it that the snapshot needs, and their bytes.
	Pages uint64 `json:"live_pages"`
	Bytes uint64 `json:"live_bytes"`
}

// Grid has a row for each of them.
func Grid(tables []Table, packs []Pack) *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "what"},
		{Name: "number", Right: true},
		{Name: "pages", Right: true},
		{Name: "bytes", Right: true},
		{Name: "length", Right: true},
		{Name: "record_bytes", Right: true},
		{Name: "newest_index", Right: true},
	}}
	for _, t := range tables {
		g.Add("table", fmt.Sprint(t.Table), fmt.Sprint(t.Pages), fmt.Sprint(t.Bytes), "", fmt.Sprint(t.RecordBytes), fmt.Sprint(t.Newest))
	}
	for _, p := range packs {
		g.Add("pack", fmt.Sprint(p.Pack), fmt.Sprint(p.Pages), fmt.Sprint(p.Bytes), fmt.Sprint(p.Length), "", "")
	}
	return g
}
