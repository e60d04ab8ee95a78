package render

import (
	"bytes"
	"testing"
)

func example() *Grid {
	g := &Grid{Columns: []Column{{Name: "id"}, {Name: "posted", Right: true}, {Name: "posted_units", Wide: true}, {Name: "last_flags"}}}
	g.Add("alice", "10.00", "1000", "")
	g.Add("bøb\x1b[31m", "-5.25", "-525", "frozen, \"closed\"")
	return g
}

func TestWrite(t *testing.T) {
	for format, want := range map[Format]string{
		Table: "ID        POSTED  LAST FLAGS\n" +
			"alice      10.00  -\n" +
			"bøb\uFFFD[31m   -5.25  frozen, \"closed\"\n",
		CSV: "id,posted,posted_units,last_flags\n" +
			"alice,10.00,1000,\n" +
			"bøb\x1b[31m,-5.25,-525,\"frozen, \"\"closed\"\"\"\n",
		JSON: "{\n  \"a\": \"<b>\"\n}\n",
	} {
		var out bytes.Buffer
		if err := Write(&out, format, example(), map[string]string{"a": "<b>"}); err != nil {
			t.Fatal(err)
		}
		if out.String() != want {
			t.Errorf("%s:\n%s\nwant\n%s", format, out.String(), want)
		}
	}
}

func TestParseFormat(t *testing.T) {
	if _, err := ParseFormat("yaml"); err == nil {
		t.Error("yaml was accepted")
	}
	if f, err := ParseFormat("csv"); err != nil || f != CSV {
		t.Errorf("csv: %v, %v", f, err)
	}
}
