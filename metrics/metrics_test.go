package metrics_test

import (
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/metrics"
	"github.com/ballastdb/ballast/server"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

const document = "../docs/metrics.md"

// tableOf are the rows of the page, as the code has them.
func tableOf(list []metrics.Definition) string {
	var b strings.Builder
	b.WriteString("| name | kind | labels | meaning |\n|---|---|---|---|\n")
	for _, d := range list {
		labels := ""
		if len(d.Labels) > 0 {
			labels = "`" + strings.Join(d.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", d.Name, d.Kind, labels, strings.ReplaceAll(d.Help, "|", "\\|"))
	}
	return b.String()
}

var documented = regexp.MustCompile(`(?m)^\| name \| kind \| labels \| meaning \|\n(\|.*\n)+`)

// The page lists every metric with its kind, labels and meaning, and nothing that does not exist.
func TestPageListsEveryMetric(t *testing.T) {
	page, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	want := tableOf(metrics.Definitions())
	if *update {
		page = documented.ReplaceAllLiteral(page, []byte(want))
		if err := os.WriteFile(document, page, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if found := documented.Find(page); string(found) != want {
		t.Errorf("%s is not what the code has; go test ./metrics -update writes it. Want:\n%s", document, want)
	}
}

// everything are facts of a member of which all parts have something to tell.
func everything() server.Facts {
	return server.Facts{
		Raft:            server.RaftFacts{State: raft.Leader, Term: 3, LeaderKnown: true, Commit: 9, Last: 9, Applied: 8, Voters: 3, Member: true},
		CertificateEnds: time.Now().Add(time.Hour),
		Standing:        server.StandingFacts{Phase: server.PhaseServing, Known: true, LagEntries: 1},
		Log:             &server.LogFacts{First: 1, Last: 9, Bytes: 900, Age: time.Minute},
		Snapshots:       &server.SnapshotFacts{Index: 7, At: time.Now()},
		Install:         &server.InstallFacts{PagesTotal: 10, PagesDone: 4, BytesLeader: 5, BytesOthers: 6},
		Transfers:       []server.TransferFacts{{To: "b"}, {To: "c", Waiting: true}},
		Journal:         &server.JournalFacts{Entries: 4, Bytes: 400},
		Verdict:         &server.Verdict{Judgement: server.Agreed, Index: 5},
		Scrub:           []server.ScrubFacts{{Part: "memory", Last: time.Now()}},
		Disk:            &server.DiskFacts{Free: 1, Size: 2, Writable: true},
	}
}

var (
	typeLine   = regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`)
	sampleLine = regexp.MustCompile(`(?m)^([a-z_]+)(?:\{([^}]*)\})? \S+$`)
	labelName  = regexp.MustCompile(`([a-z_]+)="`)
)

// A live registry answers a scrape with exactly the metrics of the list, of the kinds and with the labels that it says,
// and with those of the runtime and the process.
func TestScrapeHasEveryMetric(t *testing.T) {
	m := metrics.New()
	m.Collect(everything)
	m.Call("/x", codes.OK, time.Millisecond)
	m.Proposed(1, 2)
	text := scrape(m)
	kinds := map[string]string{}
	for _, line := range typeLine.FindAllStringSubmatch(text, -1) {
		kinds[line[1]] = line[2]
	}
	labels := map[string]string{}
	for _, line := range sampleLine.FindAllStringSubmatch(text, -1) {
		var names []string
		for _, l := range labelName.FindAllStringSubmatch(line[2], -1) {
			if l[1] != "le" {
				names = append(names, l[1])
			}
		}
		slices.Sort(names) // as Prometheus writes them
		labels[line[1]] = strings.Join(names, ",")
	}
	for _, d := range metrics.Definitions() {
		if kinds[d.Name] != string(d.Kind) {
			t.Errorf("%s: scraped as %q, defined as %s", d.Name, kinds[d.Name], d.Kind)
		}
		delete(kinds, d.Name)
		sample := d.Name
		if d.Kind == metrics.Histogram {
			sample += "_count"
		}
		want := slices.Sorted(slices.Values(d.Labels))
		if got, ok := labels[sample]; !ok || got != strings.Join(want, ",") {
			t.Errorf("%s: scraped with labels %q (%v), defined with %q", d.Name, got, ok, want)
		}
	}
	for name := range kinds {
		if !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") && !strings.HasPrefix(name, "promhttp_") {
			t.Errorf("%s is scraped and not in the list", name)
		}
	}
	if kinds["go_goroutines"] == "" || kinds["process_resident_memory_bytes"] == "" {
		t.Error("the runtime's and the process's metrics are not there")
	}
}

// A part that has nothing to tell leaves its metrics out instead of telling zeros.
func TestNothingIsToldOfWhatIsNotThere(t *testing.T) {
	m := metrics.New()
	m.Collect(func() server.Facts { return server.Facts{Raft: server.RaftFacts{SinceContact: -1}} })
	text := scrape(m)
	for _, absent := range []string{"ballast_log_bytes", "ballast_lag_entries", "ballast_disk_free_bytes", "ballast_certificate_left_seconds", "ballast_digest_verdict", "ballast_raft_last_contact_seconds"} {
		if strings.Contains(text, absent) {
			t.Errorf("%s is told of a member that does not know it", absent)
		}
	}
	for _, there := range []string{`ballast_raft_state{state="follower"} 1`, `ballast_install_pages{kind="total"} 0`} {
		if !strings.Contains(text, there) {
			t.Errorf("%q is missing in:\n%s", there, text)
		}
	}
}

func scrape(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

// BenchmarkInstruments is what one operation costs at most: each of a bulk's requests and proposals has many.
func BenchmarkInstruments(b *testing.B) {
	m := metrics.New()
	b.Run("answered", func(b *testing.B) {
		for b.Loop() {
			m.Answered(3 * time.Millisecond)
		}
	})
	b.Run("call", func(b *testing.B) {
		for b.Loop() {
			m.Call("/ballast.v1.MoneyService/Submit", codes.OK, 3*time.Millisecond)
		}
	})
}
