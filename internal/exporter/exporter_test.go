package exporter

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

var head = &ballastv1.BooksHead{ClusterId: "c1", Index: 40, Sequence: 12, LogTime: 1_700_000_000_000_000_000}

func write[T any](t testing.TB, make func(io.Writer, Format) (*Writer[T], error), format Format, what string, bare bool, rows ...T) string {
	t.Helper()
	var out bytes.Buffer
	w, err := make(&out, format)
	for _, row := range rows {
		if err == nil {
			err = w.Write(row)
		}
	}
	if err == nil {
		err = w.End(what, head, bare)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAccounts(t *testing.T) {
	rows := []*ballastv1.Account{
		{Id: `al"ice, 1`, Ledger: "usd", Scale: 2, Posted: -5, Held: 100, Floor: -1000, Ceiling: proto.Int64(math.MaxInt64), Available: 895, Version: 7, LastSequence: 12, Frozen: true, FrozenCredits: true},
		{Id: "@yen/credits", Ledger: "yen", Posted: math.MinInt64, Floor: math.MinInt64, Available: math.MaxInt64, Version: 1, System: true},
	}
	want := `account,ledger,posted,held,floor,ceiling,available,version,last_sequence,flags
"al""ice, 1",usd,-0.05,1.00,-10.00,92233720368547758.07,8.95,7,12,frozen frozen_credits
@yen/credits,yen,-9223372036854775808,0,,,,1,0,system
# whole: accounts, 2 rows, index 40, sequence 12, log time 2023-11-14T22:13:20Z, cluster c1
`
	if got := write(t, Accounts, CSV, "accounts", false, rows...); got != want {
		t.Errorf("CSV:\n%s\nwant\n%s", got, want)
	}
	if got := write(t, Accounts, CSV, "accounts", true, rows...); got != want[:strings.Index(want, LastLine)] {
		t.Errorf("bare CSV:\n%s", got)
	}
	want = `{"account":"al\"ice, 1","ledger":"usd","posted":"-0.05","held":"1.00","floor":"-10.00","ceiling":"92233720368547758.07","available":"8.95","version":7,"last_sequence":12,"flags":"frozen frozen_credits"}
{"account":"@yen/credits","ledger":"yen","posted":"-9223372036854775808","held":"0","floor":"","ceiling":"","available":"","version":1,"last_sequence":0,"flags":"system"}
{"whole":true,"export":"accounts","rows":2,"index":40,"sequence":12,"log_time":"2023-11-14T22:13:20Z","cluster":"c1"}
`
	if got := write(t, Accounts, NDJSON, "accounts", false, rows...); got != want {
		t.Errorf("NDJSON:\n%s\nwant\n%s", got, want)
	}
}

func TestEntries(t *testing.T) {
	got := write(t, Entries, CSV, "entries", true, &ballastv1.Entry{
		Ledger: "usd", Scale: 3,
		Sequence: 12, LogTime: 1_700_000_000_000_000_001, Kind: ballastv1.EntryKind_ENTRY_KIND_HOLD_CAPTURED, OperationId: "op", DebitAccount: "alice",
		CreditAccount: "@usd/debits", Amount: 1500, DebitPosted: -1, CreditPosted: 1501, EventTime: 1_600_000_000_000_000_000, Code: 42, Reference: "a\tb",
		Hold: &ballastv1.HoldChange{Id: "h", Remaining: 20, Released: 5, Expires: 1_700_000_001_000_000_000}, Asked: 2000, ReversedSequence: 3,
	}, &ballastv1.Entry{
		Ledger: "usd", Scale: 3,
		Sequence: 13, LogTime: 1_700_000_000_000_000_002, Kind: ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET, OperationId: "op2", CreditAccount: "alice", CreditPosted: -1,
		Freeze: &ballastv1.FreezeAfter{Frozen: true},
	})
	want := `sequence,log_time,kind,ledger,debit_account,credit_account,amount,debit_posted,credit_posted,operation,event_time,code,reference,hold,hold_remaining,hold_released,hold_expires,asked,reversed_sequence,details
12,2023-11-14T22:13:20.000000001Z,hold_captured,usd,alice,@usd/debits,1.500,-0.001,1.501,op,2020-09-13T12:26:40Z,42,a` + "\t" + `b,h,0.020,0.005,2023-11-14T22:13:21Z,2.000,3,
13,2023-11-14T22:13:20.000000002Z,frozen_set,usd,,alice,0.000,,-0.001,op2,,0,,,,,,,0,"{""freeze"":{""frozen"":true}}"
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestTextComesBack: whatever an id is, programs read it as it was.
func TestTextComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.String().Draw(t, "id")
		if id == "" || strings.Contains(id, "\r") { // CSV readers take CR LF for LF; no id has either
			id = "x"
		}
		row := &ballastv1.Account{Id: id, Ledger: "l"}
		var out bytes.Buffer
		w, err := Accounts(&out, CSV)
		if err == nil {
			err = w.Write(row)
		}
		if err == nil {
			err = w.End("", head, true)
		}
		if err != nil {
			t.Fatal(err)
		}
		if lines, err := csv.NewReader(&out).ReadAll(); err != nil || lines[1][0] != id {
			t.Fatalf("CSV of %q: %q, %v", id, lines, err)
		}
		var back string
		if err := json.Unmarshal(appendJSON(nil, id), &back); err != nil || back != id {
			t.Fatalf("JSON of %q: %s, %v", id, appendJSON(nil, id), err)
		}
	})
}

func TestParseFormat(t *testing.T) {
	for _, name := range []string{"csv", "ndjson"} {
		if f, err := ParseFormat(name); err != nil || string(f) != name {
			t.Errorf("%q: %q, %v", name, f, err)
		}
	}
	if _, err := ParseFormat("xml"); err == nil {
		t.Error("xml is taken")
	}
}
