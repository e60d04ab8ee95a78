// Package render writes what a command found as a table for people, or as JSON or CSV for programs.
package render

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Format is an output format.
type Format string

// Formats.
const (
	Table Format = "table"
	JSON  Format = "json"
	CSV   Format = "csv"
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Table, JSON, CSV:
		return f, nil
	}
	return "", fmt.Errorf("unknown output format %q: it must be table, json or csv", name)
}

// Column describes one column of a table.
type Column struct {
	// Name is the header: a CSV column, and in capitals the head of a table.
	Name string
	// Right aligns the column to the right in a table, as numbers want it.
	Right bool
	// Wide leaves the column out of the table; CSV has it.
	Wide bool
}

// Grid is a list of rows with named columns.
type Grid struct {
	Columns []Column
	Rows    [][]string
}

// Add appends a row; it has one cell for each column.
func (g *Grid) Add(cells ...string) { g.Rows = append(g.Rows, cells) }

// Write writes the grid as a table or CSV, or value as JSON.
func Write(w io.Writer, format Format, grid *Grid, value any) error {
	switch format {
	case JSON:
		return WriteJSON(w, value)
	case CSV:
		return grid.writeCSV(w)
	case Table:
		return grid.writeTable(w)
	}
	return fmt.Errorf("unknown output format %q", format)
}

// WriteJSON writes value as indented JSON with a final newline; text is not escaped for HTML.
func WriteJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

func (g *Grid) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := make([]string, len(g.Columns))
	for i, c := range g.Columns {
		header[i] = c.Name
	}
	if err := out.Write(header); err != nil {
		return err
	}
	if err := out.WriteAll(g.Rows); err != nil {
		return err
	}
	return out.Error()
}

func (g *Grid) writeTable(w io.Writer) error {
	lines := [][]string{make([]string, len(g.Columns))}
	for i, c := range g.Columns {
		lines[0][i] = strings.ToUpper(strings.ReplaceAll(c.Name, "_", " "))
	}
	for _, row := range g.Rows {
		line := make([]string, len(row))
		for i, cell := range row {
			line[i] = printable(cell)
		}
		lines = append(lines, line)
	}
	widths := make([]int, len(g.Columns))
	for _, line := range lines {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, line := range lines {
		if _, err := io.WriteString(w, g.line(line, widths)); err != nil {
			return err
		}
	}
	return nil
}

func (g *Grid) line(cells []string, widths []int) string {
	var out strings.Builder
	for i, cell := range cells {
		if g.Columns[i].Wide {
			continue
		}
		if out.Len() > 0 {
			out.WriteString("  ")
		}
		padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
		if g.Columns[i].Right {
			out.WriteString(padding + cell)
		} else {
			out.WriteString(cell + padding)
		}
	}
	return strings.TrimRight(out.String(), " ") + "\n"
}

// printable keeps a cell on its line and control sequences off the terminal; an empty cell is shown as a dash, so that
// a table still splits into columns.
func printable(cell string) string {
	if cell == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, cell)
}
