package catchup

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"regexp"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// logMark is how much of each member's log had been written at some moment.
type logMark map[*testcluster.Member]int64

// markLogs notes where the logs end now.
func (r *rig) markLogs() logMark {
	mark := logMark{}
	for _, m := range r.cluster.Members {
		if info, err := os.Stat(m.LogPath()); err == nil { // none yet: from the start
			mark[m] = info.Size()
		}
	}
	return mark
}

// said are the lines of a member's log since the mark that match, oldest first.
func (mark logMark) said(m *testcluster.Member, pattern *regexp.Regexp) ([]map[string]any, error) {
	data, err := os.ReadFile(m.LogPath())
	if err != nil {
		return nil, err
	}
	data = data[min(mark[m], int64(len(data))):]
	var lines []map[string]any
	scanner := bufio.NewScanner(bytes.NewReader(data))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line map[string]any
		if json.Unmarshal(scanner.Bytes(), &line) != nil {
			line = map[string]any{"@message": scanner.Text()} // what ends a process is no JSON
		}
		if pattern.Match(scanner.Bytes()) {
			lines = append(lines, line)
		}
	}
	return lines, scanner.Err()
}

// stagedMessage is what a member says when it has made another's snapshot ready.
var stagedMessage = regexp.MustCompile(`"@message":"another member's snapshot is staged"`)

// staged adds up what a member has said that it staged since the mark: how often, pages in all, pages that were there before,
// and bytes of items by table, where it says so.
func (mark logMark) staged(m *testcluster.Member) (times int, pages, reused float64, byTable map[string]float64, err error) {
	lines, err := mark.said(m, stagedMessage)
	byTable = map[string]float64{}
	for _, line := range lines {
		times++
		p, _ := line["pages"].(float64)
		n, _ := line["reused"].(float64)
		pages, reused = pages+p, reused+n
		tables, _ := line["bytes_by_table"].(map[string]any)
		for table, bytes := range tables {
			n, _ := bytes.(float64)
			byTable[table] += n
		}
	}
	return times, pages, reused, byTable, err
}
