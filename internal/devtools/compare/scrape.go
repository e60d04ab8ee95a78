package compare

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxScrape bounds what is read of a member's metrics.
const maxScrape = 4 << 20

// samples are a member's metrics by name with labels, as Prometheus' text format has them.
type samples map[string]float64

func scrape(ctx context.Context, client *http.Client, url string) (samples, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, response.Status)
	}
	return parseSamples(io.LimitReader(response.Body, maxScrape))
}

// parseSamples reads lines "name{labels} value"; comments and what has no number are passed over.
func parseSamples(r io.Reader) (samples, error) {
	s := samples{}
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		name, text, ok := cutLast(lines.Text(), " ")
		if !ok || strings.HasPrefix(name, "#") {
			continue
		}
		if value, err := strconv.ParseFloat(text, 64); err == nil {
			s[name] = value
		}
	}
	return s, lines.Err()
}

func cutLast(s, separator string) (before, after string, found bool) {
	i := strings.LastIndex(s, separator)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(separator):], true
}

// value of a metric without labels; 0 where there is none.
func (s samples) value(name string) float64 { return s[name] }
