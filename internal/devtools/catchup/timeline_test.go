package catchup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/workload"
)

// filled is a timeline of 6 s: 100 calls of 1 to 100 ms in each second, ten times as slow in the middle two, and one
// failure there.
func filled() *Timeline {
	t := newTimeline("a <title>")
	t.phases = []phase{{"before", 0, 2 * time.Second}, {"back", 2 * time.Second, 4 * time.Second}, {"after", 4 * time.Second, 6 * time.Second}}
	for second := range 6 {
		for i := 1; i <= 100; i++ {
			took := time.Duration(i) * time.Millisecond
			if second == 2 || second == 3 {
				took *= 10
			}
			t.add(workload.Call{Intended: t.start.Add(time.Duration(second)*time.Second + time.Duration(i)), Took: took, Operations: 5})
		}
	}
	t.add(workload.Call{Intended: t.start.Add(3 * time.Second), Took: time.Second, Err: errors.New("down")})
	return t
}

func TestTimelineSummarisesByPhase(t *testing.T) {
	line := filled()
	before, back := line.of("before"), line.of("back")
	if before.calls != 200 || before.operations != 1000 || before.p50 != 50*time.Millisecond || before.p99 != 99*time.Millisecond {
		t.Errorf("before: %+v", before)
	}
	if back.p99 != 990*time.Millisecond || back.longest != time.Second || back.failed != 1 || line.failed() != 1 {
		t.Errorf("back: %+v", back)
	}
	r := rig{report: &Report{Case: "x"}}
	r.latencies(line, "back")
	missed := r.report.Missed()
	if len(missed) != 2 || missed[0].Name != "x/failed_calls" || missed[1].Name != "x/back/p99" {
		t.Errorf("missed: %+v", missed)
	}
}

func TestTimelineIsWritten(t *testing.T) {
	line := filled()
	var table, svg bytes.Buffer
	if err := line.writeTable(&table); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(table.String(), "back") || strings.Count(table.String(), "\n") != 8 {
		t.Errorf("table:\n%s", &table)
	}
	if err := line.WriteSVG(&svg); err != nil {
		t.Fatal(err)
	}
	decoder := xml.NewDecoder(&svg)
	elements := map[string]int{}
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if start, ok := token.(xml.StartElement); ok {
			elements[start.Name.Local]++
		}
	}
	if elements["path"] != 4 || elements["circle"] != 1 {
		t.Errorf("elements: %v", elements)
	}
}

func TestQuantile(t *testing.T) {
	one := []time.Duration{7}
	if quantile(one, 50) != 7 || quantile(one, 99) != 7 || quantile(one, 0) != 7 {
		t.Error("of one value")
	}
}
