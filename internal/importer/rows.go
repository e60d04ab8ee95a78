package importer

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/timetext"
)

// Bounds of a file's parts, in bytes; those of ids and accounts are the store's.
const (
	maxRowLen     = 1 << 20
	maxIDLen      = 64
	maxAccountLen = 64
)

// row is one line of the file, as the store counts.
type row struct {
	line      int
	id        string
	account   string
	credit    bool
	units     int64
	eventTime int64 // Unix nanoseconds; 0: not given
	expect    int64
	hasExpect bool
}

// badRow is an error that names what is wrong with the row just read; reading can go on.
type badRow struct {
	line   int
	reason string
}

func (e *badRow) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

// rowReader reads a file's rows one by one.
type rowReader struct {
	csv    *csv.Reader
	limit  *rowLimiter
	line   int
	prefix string
	scale  uint32

	id, account, kind, amount int
	time, expect              int // -1: not read
}

// newRowReader reads the header. Errors: *UsageError where it has not the columns.
func newRowReader(file io.Reader, columns Columns, prefix string, scale uint32) (*rowReader, error) {
	limit := &rowLimiter{source: skipMark(file)}
	r := &rowReader{csv: csv.NewReader(limit), limit: limit, prefix: prefix, scale: scale, line: 1}
	r.csv.ReuseRecord = true
	limit.next()
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, &UsageError{Problem: "the file is empty; its first line must name the columns"}
	}
	if err != nil {
		return nil, &UsageError{Problem: fmt.Sprintf("the header line cannot be read: %v", err)}
	}
	for _, c := range []struct {
		index *int
		name  string
	}{
		{&r.id, columns.ID},
		{&r.account, columns.Account},
		{&r.kind, columns.Kind},
		{&r.amount, columns.Amount},
		{&r.time, columns.Time},
		{&r.expect, columns.Expect},
	} {
		if *c.index, err = findColumn(header, c.name); err != nil {
			return nil, err
		}
	}
	return r, nil
}

func findColumn(header []string, name string) (int, error) {
	if name == "" {
		return -1, nil
	}
	i := slices.Index(header, name)
	if i < 0 {
		return -1, &UsageError{Problem: fmt.Sprintf("the file has no column %q; it has: %s", name, strings.Join(header, ", "))}
	}
	if slices.Contains(header[i+1:], name) {
		return -1, &UsageError{Problem: fmt.Sprintf("the file has more than one column %q", name)}
	}
	return i, nil
}

// next reads the next row into out. It returns io.EOF after the last, a *badRow where the row is malformed, and any
// other error where the file cannot be read on.
func (r *rowReader) next(out *row) error {
	r.limit.next()
	record, err := r.csv.Read()
	var syntax *csv.ParseError
	switch {
	case errors.As(err, &syntax):
		r.line = syntax.StartLine
		if errors.Is(err, csv.ErrFieldCount) {
			return r.bad("has %d fields, the header has %d", len(record), r.csv.FieldsPerRecord)
		}
		return r.bad("is not CSV: %v", syntax.Err)
	case errors.Is(err, errRowTooLong):
		return fmt.Errorf("the row after line %d: %w", r.line, err)
	case err != nil:
		return err
	}
	r.line, _ = r.csv.FieldPos(0)
	*out = row{line: r.line}
	return r.parse(record, out)
}

func (r *rowReader) bad(format string, args ...any) error {
	return &badRow{line: r.line, reason: fmt.Sprintf(format, args...)}
}

func (r *rowReader) parse(record []string, out *row) error {
	if problem := textProblem(r.prefix+record[r.id], maxIDLen); problem != "" || record[r.id] == "" {
		return r.bad("id %.80q: %s", record[r.id], orEmpty(problem))
	}
	if problem := accountProblem(record[r.account]); problem != "" {
		return r.bad("account %.80q: %s", record[r.account], problem)
	}
	out.id, out.account = strings.Clone(r.prefix+record[r.id]), strings.Clone(record[r.account])
	switch record[r.kind] {
	case "credit":
		out.credit = true
	case "debit":
	default:
		return r.bad("kind %.80q: it must be credit or debit", record[r.kind])
	}
	var err error
	if out.units, err = amount.Parse(record[r.amount], r.scale); err != nil {
		return r.bad("amount: %v", err)
	}
	if out.units <= 0 {
		return r.bad("amount %q: it must be positive; the kind says which way it goes", record[r.amount])
	}
	if r.time >= 0 && record[r.time] != "" {
		eventTime, err := timetext.Parse(record[r.time])
		if err != nil {
			return r.bad("%v", err)
		}
		out.eventTime = eventTime.UnixNano()
	}
	if r.expect >= 0 && record[r.expect] != "" {
		out.hasExpect = true
		if out.expect, err = amount.Parse(record[r.expect], r.scale); err != nil {
			return r.bad("expected balance: %v", err)
		}
	}
	return nil
}

func orEmpty(problem string) string {
	if problem == "" {
		return "it is empty"
	}
	return problem
}

func textProblem(text string, limit int) string {
	switch {
	case text == "":
		return "it is empty"
	case len(text) > limit:
		return fmt.Sprintf("it has %d bytes, at most %d are allowed", len(text), limit)
	case !utf8.ValidString(text):
		return "it is not UTF-8"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "it has control characters"
	}
	return ""
}

func accountProblem(id string) string {
	if problem := textProblem(id, maxAccountLen); problem != "" {
		return problem
	}
	if strings.HasPrefix(id, "@") {
		return "ids that begin with @ are the store's own"
	}
	return ""
}

// skipMark leaves out the byte order mark that some programs put first.
func skipMark(file io.Reader) io.Reader {
	buffered := bufio.NewReader(file)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\xEF\xBB\xBF" {
		_, _ = buffered.Discard(3) // just seen: cannot fail
	}
	return buffered
}

var errRowTooLong = fmt.Errorf("is longer than %d bytes; is a quote missing?", maxRowLen)

// rowLimiter bounds what the CSV reader takes in for one row: a quote that is never closed would make it hold the rest
// of the file.
type rowLimiter struct {
	source io.Reader
	left   int
}

func (l *rowLimiter) next() { l.left = maxRowLen }

func (l *rowLimiter) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errRowTooLong
	}
	n, err := l.source.Read(p[:min(len(p), l.left)])
	l.left -= n
	return n, err
}
