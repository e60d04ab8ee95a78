package importer

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// FuzzRows reads arbitrary files twice: both times the same rows, no panic, every good row within bounds.
func FuzzRows(f *testing.F) {
	f.Add(header + "1,a,1993-01-01,credit,10.00,10.00\n2,b,,debit,3,\n")
	f.Add("\xEF\xBB\xBF" + header + "\"1\n2\",a,,credit,\"1\",\n\"")
	columns := optionsFor("").Columns
	read := func(content string) (rows []row, bad []badRow) {
		reader, err := newRowReader(strings.NewReader(content), columns, "p", 2)
		if err != nil {
			return nil, nil
		}
		for {
			var next row
			var malformed *badRow
			err := reader.next(&next)
			switch {
			case err == nil:
				rows = append(rows, next)
			case errors.As(err, &malformed):
				bad = append(bad, *malformed)
			case errors.Is(err, io.EOF):
				return rows, bad
			default:
				return rows, bad
			}
		}
	}
	f.Fuzz(func(t *testing.T, content string) {
		rows, bad := read(content)
		again, badAgain := read(content)
		if len(rows) != len(again) || len(bad) != len(badAgain) {
			t.Fatal("two readings differ")
		}
		last := 1
		for i, r := range rows {
			if r != again[i] {
				t.Fatal("two readings differ")
			}
			if r.line <= last || len(r.id) > maxIDLen || len(r.account) > maxAccountLen || r.account == "" || r.units <= 0 {
				t.Fatalf("%+v after line %d", r, last)
			}
			last = r.line
		}
	})
}
