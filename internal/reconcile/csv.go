package reconcile

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/ballastdb/ballast/internal/exporter"
)

// CSV is another book in a CSV file, whose first line names its columns. The last line of an export is none of its rows.
type CSV struct {
	// In is read once.
	In io.Reader
	// Account and Balance name the columns.
	Account, Balance string
	// AsOf is the sequence number of our newest entry that it shows; 0: not known.
	AsOf uint64
}

// Sequence is Theirs'.
func (c *CSV) Sequence() uint64 { return c.AsOf }

// Rows is Theirs'.
func (c *CSV) Rows(ctx context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		r := csv.NewReader(c.In)
		r.ReuseRecord, r.FieldsPerRecord = true, -1
		account, balance, columns, err := c.columns(r)
		if err != nil {
			yield(Row{}, err)
			return
		}
		for {
			cells, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				yield(Row{}, err)
				return
			}
			line, _ := r.FieldPos(0)
			if strings.HasPrefix(cells[0], exporter.LastLine) && len(cells) != columns {
				continue
			}
			if len(cells) != columns {
				yield(Row{}, fmt.Errorf("line %d has %d columns, expected %d", line, len(cells), columns))
				return
			}
			if !yield(Row{Account: cells[account], Balance: cells[balance], Place: fmt.Sprintf("line %d", line)}, nil) {
				return
			}
		}
	}
}

// columns finds the places of both columns in the first line, which has so many.
func (c *CSV) columns(r *csv.Reader) (account, balance, columns int, err error) {
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return 0, 0, 0, errors.New("it is empty: its first line must name its columns")
	}
	if err != nil {
		return 0, 0, 0, err
	}
	head[0] = trimMark(head[0])
	account, balance = slices.Index(head, c.Account), slices.Index(head, c.Balance)
	for i, name := range []string{c.Account, c.Balance} {
		if []int{account, balance}[i] < 0 {
			return 0, 0, 0, fmt.Errorf("it has no column %q; its columns are %q", name, head)
		}
	}
	return account, balance, len(head), nil
}

// trimMark takes away the mark that some programs begin UTF-8 files with.
func trimMark(s string) string {
	if len(s) >= 3 && s[:3] == "\xef\xbb\xbf" {
		return s[3:]
	}
	return s
}
