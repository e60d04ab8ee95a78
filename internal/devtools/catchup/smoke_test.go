package catchup

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/ballastdb/ballast/internal/workload"
)

// smoked are the cases that a test runs, so that the harness does not rot: one without and one with a member that pulls.
var smoked = []string{"retention", "one-percent"}

func TestSmoke(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs clusters of real processes for half a minute; make test and CI run it")
	}
	for _, name := range smoked {
		t.Run(name, func(t *testing.T) {
			report, err := Run(t.Context(), name, Options{Dir: t.TempDir(), Smoke: true, Tell: func(line string) { t.Log(line) }})
			if err != nil {
				t.Fatal(err)
			}
			var text, rows, plot bytes.Buffer
			if err := report.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			t.Logf("\n%s", &text)
			if err := report.WriteJSON(&rows); err != nil {
				t.Fatal(err)
			}
			var decoded []workload.Row
			if err := json.Unmarshal(rows.Bytes(), &decoded); err != nil || len(decoded) == 0 {
				t.Fatalf("%d rows, %v", len(decoded), err)
			}
			for _, timeline := range report.Timelines {
				if err := timeline.WriteSVG(&plot); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
