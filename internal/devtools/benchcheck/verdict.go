package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// compareSamples has benchstat compare, prints what it says, and returns what got worse by more than the threshold.
func compareSamples(ctx context.Context, o options, dir string, s *samples, stdout io.Writer) ([]string, error) {
	if len(s.order) == 0 {
		return nil, errors.New("no benchmark is in both trees")
	}
	base, work := filepath.Join(dir, "base.txt"), filepath.Join(dir, "work.txt")
	var baseText, workText strings.Builder
	for _, name := range s.order {
		fmt.Fprintln(&baseText, strings.Join(s.base[name], "\n"))
		fmt.Fprintln(&workText, strings.Join(s.work[name], "\n"))
	}
	if err := errors.Join(os.WriteFile(base, []byte(baseText.String()), 0o644), os.WriteFile(work, []byte(workText.String()), 0o644)); err != nil {
		return nil, err
	}
	text, err := benchstat(ctx, o, "text", base, work)
	if err != nil {
		return nil, err
	}
	if _, err := stdout.Write(text); err != nil {
		return nil, err
	}
	table, err := benchstat(ctx, o, "csv", base, work)
	if err != nil {
		return nil, err
	}
	return findWorse(table, o.threshold)
}

func benchstat(ctx context.Context, o options, format, base, work string) ([]byte, error) {
	args := append(o.benchstat[1:len(o.benchstat):len(o.benchstat)], "-format", format, "base="+base, "work="+work)
	cmd := exec.CommandContext(ctx, o.benchstat[0], args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("benchstat: %w\n%s", err, stderr.Bytes())
	}
	return output, nil
}

// findWorse reads benchstat's CSV: tables of a unit each, whose lines are name, base, its spread, working tree, its
// spread, difference, p. A difference that it is not sure of is "~"; more of any of our units is worse.
func findWorse(table []byte, threshold float64) (worse []string, err error) {
	reader := csv.NewReader(bytes.NewReader(table))
	reader.FieldsPerRecord = -1
	records, err := reader.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("benchstat's CSV: %w", err)
	}
	unit, seen := "", 0
	for _, r := range records {
		switch {
		case len(r) > 1 && r[0] == "" && (r[1] == ratioUnit || strings.HasSuffix(r[1], "/op")):
			unit = r[1]
		case len(r) >= 6 && r[0] != "" && r[0] != "geomean" && unit != "":
			seen++
			if r[5] == "~" || r[5] == "?" || r[5] == "" {
				continue
			}
			percent, err := strconv.ParseFloat(strings.TrimSuffix(r[5], "%"), 64)
			if err != nil {
				return nil, fmt.Errorf("benchstat's CSV: difference %q of %s, expected a percentage or ~", r[5], r[0])
			}
			if percent > threshold {
				worse = append(worse, fmt.Sprintf("%s: %s %s", r[0], r[5], unit))
			}
		}
	}
	if seen == 0 {
		return nil, fmt.Errorf("benchstat's CSV has no line that is understood:\n%s", table)
	}
	return worse, nil
}
