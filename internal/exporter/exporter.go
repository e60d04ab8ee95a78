// Package exporter writes whole books, accounts or entries, as CSV or NDJSON: a row at a time, amounts exactly as decimals of
// their ledger, and a last line that says what the rows show and that all of them are there.
package exporter

import (
	"bufio"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"

	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Format is how rows are written.
type Format string

// Formats.
const (
	CSV    Format = "csv"
	NDJSON Format = "ndjson"
)

// ParseFormat reads the name of a format.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case CSV, NDJSON:
		return f, nil
	}
	return "", fmt.Errorf("unknown format %q: it must be csv or ndjson", name)
}

// LastLine begins the last line of CSV.
const LastLine = "# whole: "

// cell is one value of a row.
type cell struct {
	text string
	// number: JSON has it without quotes. Amounts are strings: JSON numbers lose digits.
	number bool
	// object: it is JSON itself.
	object bool
}

func text(s string) cell { return cell{text: s} }

func number(n uint64) cell { return cell{text: strconv.FormatUint(n, 10), number: true} }

// column is a named value of rows.
type column[T any] struct {
	name string
	of   func(T) cell
}

// Writer writes rows. End it: what it wrote is on its way only then.
type Writer[T any] struct {
	columns []column[T]
	format  Format
	out     *bufio.Writer
	csv     *csv.Writer
	cells   []string
	line    []byte
	rows    uint64
}

// Accounts makes a writer of accounts, and writes what comes before them.
func Accounts(w io.Writer, format Format) (*Writer[*ballastv1.Account], error) {
	return begin(w, format, accountColumns)
}

// Entries makes a writer of entries, and writes what comes before them.
func Entries(w io.Writer, format Format) (*Writer[*ballastv1.Entry], error) {
	return begin(w, format, entryColumns)
}

func begin[T any](w io.Writer, format Format, columns []column[T]) (*Writer[T], error) {
	e := &Writer[T]{columns: columns, format: format, out: bufio.NewWriterSize(w, 1<<16), cells: make([]string, len(columns))}
	if format != CSV {
		return e, nil
	}
	e.csv = csv.NewWriter(e.out)
	for i, c := range columns {
		e.cells[i] = c.name
	}
	return e, e.csv.Write(e.cells)
}

// Write writes a row.
func (e *Writer[T]) Write(row T) error {
	e.rows++
	if e.csv != nil {
		for i, c := range e.columns {
			e.cells[i] = c.of(row).text
		}
		return e.csv.Write(e.cells)
	}
	e.line = append(e.line[:0], '{')
	for i, c := range e.columns {
		if i > 0 {
			e.line = append(e.line, ',')
		}
		e.line = append(appendJSON(e.line, c.name), ':')
		if v := c.of(row); v.number || v.object {
			e.line = append(e.line, v.text...)
		} else {
			e.line = appendJSON(e.line, v.text)
		}
	}
	e.line = append(e.line, "}\n"...)
	_, err := e.out.Write(e.line)
	return err
}

// Rows is how many were written.
func (e *Writer[T]) Rows() uint64 { return e.rows }

// End writes the last line, unless bare, and all that is still to be written. what is "accounts" or "entries".
func (e *Writer[T]) End(what string, head *ballastv1.BooksHead, bare bool) error {
	if e.csv != nil {
		e.csv.Flush()
		if err := e.csv.Error(); err != nil {
			return err
		}
	}
	if !bare {
		if err := e.last(what, head); err != nil {
			return err
		}
	}
	return e.out.Flush()
}

func (e *Writer[T]) last(what string, head *ballastv1.BooksHead) error {
	format := `{"whole":true,"export":%s,"rows":%d,"index":%d,"sequence":%d,"log_time":%s,"cluster":%s}` + "\n"
	quote := func(s string) string { return string(appendJSON(nil, s)) }
	if e.csv != nil {
		format = LastLine + "%s, %d rows, index %d, sequence %d, log time %s, cluster %s\n"
		quote = func(s string) string { return s }
	}
	_, err := fmt.Fprintf(e.out, format, quote(what), e.rows, head.GetIndex(), head.GetSequence(),
		quote(timetext.Format(head.GetLogTime())), quote(head.GetClusterId()))
	return err
}
