package ledger

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/fsm/page"
)

var update = flag.Bool("update", false, "write what the stories answer into testdata; read the diff")

// storyStart is second 0 of every story.
const storyStart = int64(1_700_000_000) * int64(time.Second)

// TestStories runs testdata/*.txt. A story is blocks of commands, "----", and what they answer:
//
//	at 10s                              the next proposals are stamped so long after the story's start
//	credit alice 100 id=a1              one operation, a proposal by itself
//	group / end, batch / end            the lines between are an atomic group, or independent operations of one proposal
//	flood 1000 debit alice 1 id=f       so many operations with ids f0, f1, ..., 100 in a proposal, step= apart; counts
//	                                    by code. attempt=n: one id, attempts 1, 2, ...
//	settings window=1h budget=2MiB      SetSettings
//	tick                                a proposal without operations
//	account, operation, statement, list, ledgers, horizon, show-hold, holds, expiry; topupstory_test.go has more
//	restart                             the pages move to a new State, which goes on
//
// An id is stamped with the time of its first mention, issued= sets another, attempt= raises the attempt. After every
// command: the digest is that of the pages, books sum to zero, and the chain of entries holds. At the end a State fed
// the same calls without the restarts must have the same pages.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) { runStory(t, file) })
	}
}

func runStory(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var rewritten strings.Builder
	st := newStory(t)
	for _, block := range parseBlocks(string(text)) {
		rewritten.WriteString(block.head)
		if len(block.commands) == 0 {
			continue
		}
		got := st.run(block.commands)
		rewritten.WriteString(strings.Join(block.commands, "\n") + "\n----\n" + got)
		if got != block.want && !*update {
			t.Errorf("%s:%d:\n%s\n---- got\n%s---- want\n%s", file, block.line, strings.Join(block.commands, "\n"), got, block.want)
		}
	}
	st.compareTwin()
	if *update {
		if err := os.WriteFile(file, []byte(rewritten.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

type storyBlock struct {
	head     string // comments and blank lines before
	commands []string
	want     string
	line     int
}

func parseBlocks(text string) (blocks []storyBlock) {
	var b storyBlock
	inWant := false
	sc := bufio.NewScanner(strings.NewReader(text))
	for n := 1; sc.Scan(); n++ {
		line := sc.Text()
		switch blank := strings.TrimSpace(line) == ""; {
		case inWant && !blank:
			b.want += line + "\n"
		case inWant, len(b.commands) == 0 && (blank || strings.HasPrefix(line, "#")):
			if inWant {
				blocks, b, inWant = append(blocks, b), storyBlock{}, false
			}
			b.head += line + "\n"
		case line == "----":
			inWant = true
		default:
			if len(b.commands) == 0 {
				b.line = n
			}
			b.commands = append(b.commands, line)
		}
	}
	return append(blocks, b)
}

// story is a State, its twin that is never restarted, and what the story has said so far.
type story struct {
	t       *testing.T
	s, twin *State
	index   uint64
	now     int64
	issued  map[string]int64
	journal []byte
	chain   Chain
	out     Output
	answer  strings.Builder
}

func newStory(t *testing.T) *story {
	return &story{t: t, s: New(), twin: New(), now: storyStart, issued: map[string]int64{}}
}

func (st *story) run(commands []string) string {
	st.answer.Reset()
	for len(commands) > 0 {
		words := strings.Fields(commands[0])
		n := 1
		switch words[0] {
		case "group", "batch":
			n = slices.Index(commands, "end") + 1
			var ops []Operation
			for _, line := range commands[1 : n-1] {
				op := st.operation(strings.Fields(line))
				op.Linked = words[0] == "group" && len(ops) < n-3
				ops = append(ops, op)
			}
			st.apply(ops)
			st.printResults()
		default:
			st.command(words)
		}
		commands = commands[n:]
		st.check()
	}
	return st.answer.String()
}

func (st *story) printf(format string, args ...any) { fmt.Fprintf(&st.answer, format+"\n", args...) }

func (st *story) command(words []string) {
	arg := func(i int) []byte { return []byte(words[i]) }
	switch words[0] {
	case "at":
		st.now = storyStart + st.duration(words[1])
		if len(words) > 2 && words[2] == "advance" {
			st.index++
			st.s.Advance(st.index, st.now)
			st.twin.Advance(st.index, st.now)
		}
	case "account":
		st.printAccount(arg(1))
	case "operation":
		if res, ok := st.s.Operation(arg(1)); ok {
			st.printf("%s", formatResult(&res))
		} else {
			st.printf("not known")
		}
	case "horizon":
		st.printf("done %s sure %s", st.since(st.s.Horizon()), st.since(st.s.SureHorizon()))
	case "tick":
		st.apply(nil)
	case "show-hold":
		st.printHold(arg(1))
	case "holds":
		st.listHolds(words[1:])
	case "expiry":
		if at, ok := st.s.NextDue(); ok {
			st.printf("next at %s of %d", st.since(at), st.s.OpenHolds())
		} else {
			st.printf("none")
		}
	case "ledgers":
		for _, l := range st.s.Ledgers() {
			st.printf("%s %s scale %d", l.Name, l.Asset, l.Scale)
		}
	case "list":
		st.list(words[1:])
	case "statement":
		st.statement(arg(1))
	case "settings":
		st.setSettings(words[1:])
	case "flood":
		st.flood(words)
	case "restart":
		st.s = reload(st.t, st.s)
	default:
		if st.topUpCommand(words) {
			return
		}
		st.apply([]Operation{st.operation(words)})
		st.printResults()
	}
}

func (st *story) apply(ops []Operation) {
	st.index++
	st.twin.Apply(st.index, st.now, ops, &st.out)
	want := slices.Clone(st.out.Results)
	st.s.Apply(st.index, st.now, ops, &st.out)
	if !slices.Equal(want, st.out.Results) {
		st.t.Errorf("index %d: %v, and without restarts %v", st.index, st.out.Results, want)
	}
	st.journal = append(st.journal, st.out.Entries...)
	for b := st.out.Entries; len(b) > 0; {
		n, err := st.chain.Verify(b)
		if err != nil {
			st.t.Fatal(err)
		}
		b = b[n:]
	}
}

// check holds the invariants that the story need not mention.
func (st *story) check() {
	st.t.Helper()
	if got, want := st.s.Space().Digest(), st.s.Space().RecomputeDigest(); got != want {
		st.t.Fatalf("digest %s, the pages say %s", got, want)
	}
	if err := st.s.CheckBooks(); err != nil {
		st.t.Fatal(err)
	}
	if st.s.JournalHash() != st.chain.Hash || st.s.Sequence() != st.chain.Sequence || st.s.JournalBytes() != uint64(len(st.journal)) {
		st.t.Fatal("the journal is not the one that meta speaks of")
	}
}

func (st *story) compareTwin() {
	a, b := pagesOf(st.t, st.s), pagesOf(st.t, st.twin)
	if !slices.EqualFunc(a, b, samePage) {
		st.t.Error("restarted and never restarted states have different pages")
	}
}

func samePage(a, b page.Page) bool {
	return a.ID == b.ID && a.Index == b.Index && string(a.Data) == string(b.Data)
}

type noLock struct{}

func (noLock) Lock()   {}
func (noLock) Unlock() {}

func pagesOf(t testing.TB, s *State) (pages []page.Page) {
	t.Helper()
	v := s.Space().View(noLock{})
	defer v.Close()
	if err := v.Pages(func(p page.Page) error {
		p.Data = slices.Clone(p.Data)
		pages = append(pages, p)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return pages
}

// reload moves the pages to a new State.
func reload(t testing.TB, s *State) *State {
	t.Helper()
	fresh := New()
	for _, p := range pagesOf(t, s) {
		if err := fresh.Space().Load(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := fresh.Space().Loaded(nil); err != nil {
		t.Fatal(err)
	}
	if err := fresh.Rebuild(nil); err != nil {
		t.Fatal(err)
	}
	if fresh.Space().Digest() != s.Space().Digest() {
		t.Fatalf("digest %s, after a restart %s", s.Space().Digest(), fresh.Space().Digest())
	}
	return fresh
}

func (st *story) printResults() {
	for i := range st.out.Results {
		st.printf("%s", formatResult(&st.out.Results[i]))
	}
}

func formatAccount(a *Account) string {
	s := fmt.Sprintf("%s (%s) posted %d available %d version %d", a.ID, a.Ledger, a.Posted, a.Available, a.Version)
	if a.Held != 0 {
		s += fmt.Sprintf(" held %d", a.Held)
	}
	if a.Floor != 0 && !a.System {
		s += fmt.Sprintf(" floor %d", a.Floor)
	}
	if a.HasCeiling {
		s += fmt.Sprintf(" ceiling %d", a.Ceiling)
	}
	for _, c := range a.Caps {
		if c.Window != 0 {
			s += fmt.Sprintf(" cap %d of %d in %s", c.Counted, c.Limit, time.Duration(c.Window))
		}
	}
	if a.LowBalance != 0 {
		s += fmt.Sprintf(" low below %d", a.LowBalance)
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{a.Low, " LOW"}, {a.Frozen, " frozen"}, {a.FrozenCredits, " frozen-credits"}, {a.Closed, " closed"}, {a.System, " system"}} {
		if f.on {
			s += f.name
		}
	}
	return s
}

func (st *story) printAccount(id []byte) {
	a, ok := st.s.Account(id)
	if !ok {
		st.printf("no such account")
		return
	}
	st.printf("%s", formatAccount(&a))
}

func (st *story) formatHold(h *Hold) string {
	s := fmt.Sprintf("%s of %s: %d, captured %d, remaining %d, %s, expires %s", h.ID, h.Account, h.Amount, h.Captured, h.Remaining,
		[...]string{"free", "open", "captured", "voided", "expired"}[h.State], st.since(h.Expires))
	if h.InParts {
		s += ", in parts"
	}
	if h.Ended != 0 {
		s += ", ended " + st.since(h.Ended)
	}
	return s + fmt.Sprintf(", entries %d to %d", h.FirstSequence, h.LastSequence)
}

func (st *story) printHold(id []byte) {
	if h, ok := st.s.Hold(id); ok {
		st.printf("%s", st.formatHold(&h))
	} else {
		st.printf("no such hold")
	}
}

func (st *story) listHolds(words []string) {
	w, opt := options(words)
	limit := 100
	if l, ok := opt["limit"]; ok {
		limit = int(st.number(l))
	}
	for from, more := (HoldCursor{}), true; more; more = from != (HoldCursor{}) {
		var holds []Hold
		holds, from, _ = st.s.Holds([]byte(w[0]), from, limit)
		for i := range holds {
			st.printf("%s", st.formatHold(&holds[i]))
		}
	}
}

func (st *story) list(words []string) {
	w, opt := options(words)
	q := AccountQuery{Prefix: opt["prefix"], Ledger: opt["ledger"], After: opt["after"], Limit: 100, IncludeSystem: slices.Contains(w, "system")}
	if l, ok := opt["limit"]; ok {
		q.Limit = int(st.number(l))
	}
	accounts, next := st.s.Accounts(q)
	for i := range accounts {
		st.printf("%s", formatAccount(&accounts[i]))
	}
	if next != "" {
		st.printf("more after %s", next)
	}
}

// statement walks an account's entries back, newest first.
func (st *story) statement(id []byte) {
	a, ok := st.s.Account(id)
	if !ok {
		st.printf("no such account")
		return
	}
	entries := map[uint64]Entry{}
	for b := st.journal; len(b) > 0; {
		e, n, err := DecodeEntry(b)
		if err != nil {
			st.t.Fatal(err)
		}
		entries[e.Sequence], b = e, b[n:]
	}
	for seq := a.LastSequence; seq != 0; {
		e := entries[seq]
		line := fmt.Sprintf("#%d at %s kind %d id %s", e.Sequence, st.since(e.Time), e.Kind, e.OperationID)
		switch {
		case e.HasDebit && e.DebitSlot == a.Slot:
			line, seq = line+fmt.Sprintf(" -%d to %d", e.Amount, e.DebitPosted), e.PrevDebit
		case e.HasCredit && e.CreditSlot == a.Slot:
			line, seq = line+fmt.Sprintf(" +%d to %d", e.Amount, e.CreditPosted), e.PrevCredit
		default:
			st.t.Fatalf("entry %d is not of account %s", e.Sequence, id)
		}
		if e.Original != 0 {
			line += fmt.Sprintf(" reverses #%d", e.Original)
		}
		if e.Kind == EntryUpTo {
			line += fmt.Sprintf(" of %d asked", e.Asked)
		}
		if len(e.Hold) > 0 {
			line += fmt.Sprintf(" hold %s after #%d, remaining %d, released %d, expires %s", e.Hold, e.PrevHold, e.Remaining, e.Released, st.since(e.Expires))
			if e.Ended {
				line += ", ended"
			}
		}
		if e.TopUp != nil {
			line += fmt.Sprintf(" top-up of %d after #%d, lease %d", e.TopUp.Amount, e.TopUp.Previous, e.TopUp.Lease)
		}
		if len(e.Reference) > 0 || e.Code != 0 || e.EventTime != 0 {
			line += fmt.Sprintf(" ref %q code %d event %s", e.Reference, e.Code, st.since(e.EventTime))
		}
		st.printf("%s", line)
	}
}

func (st *story) setSettings(words []string) {
	_, opt := options(words)
	v := st.s.Settings()
	if w, ok := opt["window"]; ok {
		v.IDWindow = time.Duration(st.duration(w))
	}
	if b, ok := opt["budget"]; ok {
		v.IDBudgetBytes = uint64(st.number(strings.TrimSuffix(b, "MiB"))) << 20
	}
	if p, ok := opt["share"]; ok {
		v.RefusedSharePercent = uint32(st.number(p))
	}
	st.index++
	if err := st.s.SetSettings(st.index, st.now, v); err != nil {
		st.printf("%s", err)
	}
	_ = st.twin.SetSettings(st.index, st.now, v)
}

// flood applies many operations that differ in their ids. step= moves time between proposals.
func (st *story) flood(words []string) {
	counts := map[string]int{}
	plain, opt := options(words)
	step := int64(0)
	if s, ok := opt["step"]; ok {
		step = st.duration(s)
	}
	prefix, total := opt["id"], st.number(plain[1])
	for n := int64(0); n < total; {
		var ops []Operation
		for len(ops) < 100 && n < total {
			line := append(slices.Clone(plain[2:]), fmt.Sprintf("id=%s%d", prefix, n))
			if opt["attempt"] == "n" { // one id, its attempt rising
				line = append(slices.Clone(plain[2:]), "id="+prefix, fmt.Sprintf("attempt=%d", n+1))
			}
			if issued, ok := opt["issued"]; ok {
				line = append(line, "issued="+issued)
			}
			ops = append(ops, st.operation(line))
			n++
		}
		st.apply(ops)
		for i := range st.out.Results {
			counts[codeNames[st.out.Results[i].Code]]++
		}
		st.now += step
	}
	names := []string{}
	for name, n := range counts {
		names = append(names, fmt.Sprintf("%d %s", n, name))
	}
	slices.Sort(names)
	st.printf("%s", strings.Join(names, ", "))
}
