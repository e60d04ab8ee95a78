package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/timetext"
)

// stretchFlags say which part of an account's history is meant.
type stretchFlags struct {
	of          client.Stretch
	from, until string
}

func (f *stretchFlags) addFlags(flags *pflag.FlagSet) {
	flags.Uint64Var(&f.of.Before, "before", 0, "only entries with a `sequence` number below this")
	flags.Uint64Var(&f.of.After, "after", 0, "only entries with a `sequence` number above this")
	flags.StringVar(&f.from, "from", "", "only entries with this log `time` or a later one")
	flags.StringVar(&f.until, "until", "", "only entries with an earlier log `time` than this")
	flags.BoolVar(&f.of.Forward, "forward", false, "the oldest first")
}

func (f *stretchFlags) stretch() (client.Stretch, error) {
	for _, t := range []struct {
		flag, text string
		target     *time.Time
	}{{"--from", f.from, &f.of.From}, {"--until", f.until, &f.of.Until}} {
		if t.text == "" {
			continue
		}
		at, err := parseLogTime(t.flag, t.text)
		if err != nil {
			return f.of, err
		}
		*t.target = at
	}
	return f.of, nil
}

// parseLogTime reads a log time, which is later than 1970.
func parseLogTime(what, text string) (time.Time, error) {
	at, err := timetext.Parse(text)
	if err == nil && at.UnixNano() <= 0 {
		return at, usagef("%s %s: want a time after 1970", what, text)
	}
	if err != nil {
		return at, usagef("%s: %v", what, err)
	}
	return at, nil
}
