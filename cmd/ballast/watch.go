package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// watchFlags are what `ballast watch` is told.
type watchFlags struct {
	after     string
	ledger    string
	accounts  []string
	kinds     []string
	codes     []uint
	limit     int
	toNewest  bool
	positions bool
	heartbeat time.Duration
	// interrupted is why nothing is told at present; nil: something is.
	interrupted error
}

func newWatchCommand(a *app) *cobra.Command {
	var flags watchFlags
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Tell every change as it takes effect, in order",
		Long: "Tell every entry as it takes effect, in order, each once: movements, holds and their expiry, accounts,\n" +
			"limits, caps, low balances. It begins with the next one, or behind --after, and goes on until it is\n" +
			"interrupted, on another member where one ends it. Words, one line an entry; with -o json one JSON object\n" +
			"a line.",
		Example: "  ballast watch --account alice\n  ballast watch --after 0 --to-newest -o json > all.ndjson\n  ballast watch --kind low_balance",
		Args:    args(),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, _ []string) error { return a.watch(ctx, c, &flags) })
	f := cmd.Flags()
	f.StringVar(&flags.after, "after", "", "begin behind this `position`: a sequence number, 0 for the beginning, or SEQUENCE:LINK as positions are shown, to have it checked")
	f.StringVar(&flags.ledger, "ledger", "", "only entries of this `ledger`")
	f.StringArrayVar(&flags.accounts, "account", nil, "only entries that name this `account`; may be repeated")
	f.StringArrayVar(&flags.kinds, "kind", nil, "only entries of this `kind`, such as transfer, hold_expired or low_balance; may be repeated")
	f.UintSliceVar(&flags.codes, "code", nil, "only entries with this `code` of your own; may be repeated")
	f.IntVar(&flags.limit, "limit", 0, "end after so many entries; 0: never")
	f.BoolVar(&flags.toNewest, "to-newest", false, "end when everything is told that there was at the beginning")
	f.BoolVar(&flags.positions, "positions", false, "also tell the position, with every part and heartbeat")
	f.DurationVar(&flags.heartbeat, "heartbeat", 5*time.Second, "how often the member says something at least, 100ms to 1m")
	return cmd
}

// options are the client's for the flags.
func (f *watchFlags) options(a *app) ([]client.WatchOption, error) {
	options := []client.WatchOption{
		client.WithHeartbeat(f.heartbeat),
		client.OnInterruption(func(err error) {
			if f.interrupted == nil {
				a.note("interrupted, tries to go on: %s", inWords(err))
			}
			f.interrupted = err
		}),
	}
	switch position, err := parsePosition(f.after); {
	case err != nil:
		return nil, err
	case f.after == "":
		options = append(options, client.FromNow())
	default:
		options = append(options, client.From(position))
	}
	if f.limit < 0 {
		return nil, usagef("--limit %d: it must be 0 (none) or more", f.limit)
	}
	filter := &ballastv1.WatchFilter{Ledger: f.ledger, Accounts: f.accounts}
	for _, name := range f.kinds {
		kind, ok := ballastv1.EntryKind_value["ENTRY_KIND_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))]
		if !ok || kind == 0 {
			return nil, usagef("--kind %q: want one of %s", name, strings.Join(kindNames(), ", "))
		}
		filter.Kinds = append(filter.Kinds, ballastv1.EntryKind(kind))
	}
	for _, code := range f.codes {
		if uint64(code) > 1<<32-1 {
			return nil, usagef("--code %d: want at most %d", code, uint64(1<<32-1))
		}
		filter.Codes = append(filter.Codes, uint32(code))
	}
	if f.ledger != "" || len(f.accounts)+len(f.kinds)+len(f.codes) > 0 {
		options = append(options, client.WithFilter(filter))
	}
	return options, nil
}

// kindNames are those of all kinds of entries, in the order of their numbers.
func kindNames() (names []string) {
	numbers := make([]int32, 0, len(ballastv1.EntryKind_name))
	for n := range ballastv1.EntryKind_name {
		if n != 0 {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		names = append(names, exporter.KindName(ballastv1.EntryKind(n)))
	}
	return names
}

// parsePosition reads SEQUENCE or SEQUENCE:LINK.
func parsePosition(text string) (p client.Position, err error) {
	sequence, link, linked := strings.Cut(text, ":")
	if text == "" {
		return p, nil
	}
	if p.Sequence, err = strconv.ParseUint(sequence, 10, 64); err == nil && linked {
		p.Link, err = strconv.ParseUint(link, 16, 64)
	}
	if err != nil {
		return p, usagef("--after %q: want a sequence number, or SEQUENCE:LINK as a watch shows positions", text)
	}
	return p, nil
}

func formatPosition(p client.Position) string { return fmt.Sprintf("%d:%016x", p.Sequence, p.Link) }

// watch runs the verb. An interruption by the user is its usual end.
func (a *app) watch(ctx context.Context, c *client.Client, flags *watchFlags) error {
	if a.format == render.CSV {
		return usagef("-o csv: a watch has words or -o json")
	}
	options, err := flags.options(a)
	if err != nil {
		return err
	}
	// Who is told nothing at first has given wrong addresses, or the cluster is down; later on a watch waits for it.
	begun, giveUp := context.WithCancel(ctx)
	defer giveUp()
	patience := time.AfterFunc(a.timeout, giveUp)
	defer patience.Stop()
	told, target := 0, uint64(0)
	for part, err := range c.Watch(begun, options...) {
		switch {
		case ctx.Err() != nil:
			return nil
		case begun.Err() != nil && flags.interrupted != nil:
			return flags.interrupted
		case err != nil:
			return err
		}
		if patience.Stop() {
			target = part.GetNewestSequence()
		}
		flags.interrupted = nil
		if told, err = a.tellPart(part, flags, told); err != nil {
			return err
		}
		if told == flags.limit && told > 0 || flags.toNewest && part.GetSequence() >= target {
			return nil
		}
	}
	return nil
}

// tellPart writes a part, of its entries as many as --limit leaves after those that were told.
func (a *app) tellPart(part *ballastv1.WatchResponse, flags *watchFlags, told int) (int, error) {
	for _, e := range part.GetEntries() {
		if err := a.tell(e); err != nil {
			return told, err
		}
		if told++; told == flags.limit {
			return told, nil
		}
	}
	if !flags.positions {
		return told, nil
	}
	return told, a.tellPosition(part)
}

// tell writes an entry's line.
func (a *app) tell(e *ballastv1.Entry) error {
	if a.format == render.JSON {
		return a.line(viewFeed(e))
	}
	_, err := fmt.Fprintf(a.out, "%s #%d %s\n", timetext.FormatFixed(e.GetLogTime()), e.GetSequence(), entryInWords(e))
	return err
}

// positionView is a position in JSON.
type positionView struct {
	// Position is what --after takes.
	Position string `json:"position"`
	Sequence uint64 `json:"sequence"`
	// Newest entry of the member at its log Index.
	Newest  uint64 `json:"newest_sequence"`
	Index   uint64 `json:"index"`
	LogTime string `json:"log_time"`
}

func (a *app) tellPosition(part *ballastv1.WatchResponse) error {
	position := formatPosition(client.PositionOf(part))
	if a.format == render.JSON {
		return a.line(&positionView{position, part.GetSequence(), part.GetNewestSequence(), part.GetIndex(), timetext.FormatFixed(part.GetLogTime())})
	}
	_, err := fmt.Fprintf(a.out, "%s position %s, the newest entry is %d at log index %d\n",
		timetext.FormatFixed(part.GetLogTime()), position, part.GetNewestSequence(), part.GetIndex())
	return err
}

// line writes a value as one line of JSON.
func (a *app) line(value any) error {
	encoder := json.NewEncoder(a.out)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
