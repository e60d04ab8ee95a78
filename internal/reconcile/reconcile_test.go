package reconcile

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"github.com/ballastdb/ballast/client/amount"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// history is a ledger the obvious way: all its entries, and the balances after each of them.
type history struct {
	entries []*ballastv1.Entry
	after   []map[string]int64 // after[0]: before the first
	order   []string
	// late come in between the first look at the entries and that at the accounts.
	late int
}

func newHistory() *history { return &history{after: []map[string]int64{{}}} }

func (h *history) now() map[string]int64 { return h.after[len(h.after)-1] }

func (h *history) add(e *ballastv1.Entry) {
	next := maps.Clone(h.now())
	e.Sequence = uint64(len(h.entries) + 1)
	if e.Kind == ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED {
		h.order = append(h.order, e.CreditAccount)
		next[e.CreditAccount] = 0
	} else if e.DebitAccount != "" && e.CreditAccount != "" {
		next[e.DebitAccount] -= e.Amount
		next[e.CreditAccount] += e.Amount
	}
	e.DebitPosted, e.CreditPosted = next[e.DebitAccount], next[e.CreditAccount]
	h.entries, h.after = append(h.entries, e), append(h.after, next)
}

func (h *history) open(account string) {
	h.add(&ballastv1.Entry{Kind: ballastv1.EntryKind_ENTRY_KIND_ACCOUNT_CREATED, CreditAccount: account})
}

func (h *history) move(from, to string, units int64) {
	h.add(&ballastv1.Entry{Kind: ballastv1.EntryKind_ENTRY_KIND_TRANSFER, DebitAccount: from, CreditAccount: to, Amount: units})
}

func (h *history) freeze(account string) {
	h.add(&ballastv1.Entry{Kind: ballastv1.EntryKind_ENTRY_KIND_FROZEN_SET, CreditAccount: account})
}

// grow adds n random entries.
func (h *history) grow(t *rapid.T, n int) {
	for range n {
		kind := rapid.IntRange(0, 9).Draw(t, "kind")
		if len(h.order) < 2 || kind == 0 {
			h.open(fmt.Sprintf("a%d", len(h.order)))
			continue
		}
		one := rapid.IntRange(0, len(h.order)-1).Draw(t, "account")
		other := (one + rapid.IntRange(1, len(h.order)-1).Draw(t, "other")) % len(h.order)
		if kind == 1 {
			h.freeze(h.order[one])
			continue
		}
		h.move(h.order[one], h.order[other], rapid.Int64Range(1, 5).Draw(t, "amount"))
	}
}

func (h *history) Accounts(context.Context, string) (*ballastv1.BooksHead, iter.Seq2[*ballastv1.Account, error], error) {
	for range h.late {
		h.move(h.order[0], h.order[1], 3)
	}
	head := &ballastv1.BooksHead{Index: 1000, Sequence: uint64(len(h.entries)), LogTime: 5}
	now, order := h.now(), slices.Clone(h.order)
	return head, func(yield func(*ballastv1.Account, error) bool) {
		for _, account := range order {
			if !yield(&ballastv1.Account{Id: account, Posted: now[account], Held: 7, Available: now[account] - 7}, nil) {
				return
			}
		}
	}, nil
}

func (h *history) Entries(_ context.Context, _ string, after, until uint64) iter.Seq2[*ballastv1.Entry, error] {
	list := h.entries
	return func(yield func(*ballastv1.Entry, error) bool) {
		for _, e := range list {
			if e.Sequence > after && (until == 0 || e.Sequence <= until) && !yield(e, nil) {
				return
			}
		}
	}
}

func (h *history) Statement(_ context.Context, account string, before uint64) iter.Seq2[*ballastv1.Entry, error] {
	return func(yield func(*ballastv1.Entry, error) bool) {
		for _, e := range slices.Backward(h.entries) {
			if e.Sequence < before && (e.DebitAccount == account || e.CreditAccount == account) && !yield(e, nil) {
				return
			}
		}
	}
}

// listed is another book in memory.
type listed struct {
	rows     []Row
	err      error
	sequence uint64
}

func (l *listed) Rows(context.Context) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for _, r := range l.rows {
			if !yield(r, nil) {
				return
			}
		}
		if l.err != nil {
			yield(Row{}, l.err)
		}
	}
}

func (l *listed) Sequence() uint64 { return l.sequence }

func bookOf(balances map[string]int64) *listed {
	l := &listed{}
	for account, units := range balances {
		l.rows = append(l.rows, Row{Account: account, Balance: amount.Format(units, 2), Place: "a row"})
	}
	return l
}

// TestFindsJustWhatDiffers compares, as of a random entry, with a book that has what the ledger had then, but for what was changed
// on purpose.
func TestFindsJustWhatDiffers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistory()
		h.grow(t, rapid.IntRange(3, 40).Draw(t, "entries"))
		at := rapid.IntRange(1, len(h.entries)).Draw(t, "at")
		o := Options{Ledger: "usd", Scale: 2, Limit: 1000, Entries: 3, Depth: 50, Tolerance: rapid.Int64Range(0, 2).Draw(t, "tolerance")}
		truth := h.after[at]
		book := maps.Clone(truth)
		want := map[string]Kind{}
		for _, account := range h.order {
			units, there := truth[account]
			switch change := rapid.IntRange(0, 5).Draw(t, "change of "+account); {
			case change == 0 && there:
				delete(book, account)
				want[account] = MissingThere
			case change == 1:
				by := rapid.Int64Range(-3, 3).Draw(t, "by")
				book[account] = units + by
				if !there {
					want[account] = UnknownHere
				} else if by > o.Tolerance || -by > o.Tolerance {
					want[account] = Differs
				}
			}
		}
		if rapid.Bool().Draw(t, "a stranger") {
			book["stranger"], want["stranger"] = 1, UnknownHere
		}
		theirs := bookOf(book)
		if rapid.Bool().Draw(t, "the book says as of when") {
			theirs.sequence = uint64(at)
		} else {
			o.Sequence = uint64(at)
		}
		h.late = rapid.IntRange(0, 2).Draw(t, "late")
		if len(h.order) < 2 {
			h.late = 0
		}
		r, err := Run(t.Context(), h, theirs, o)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]Kind{}
		for _, d := range r.Differences {
			got[d.Account] = d.Kind
			checkExplained(t, h, &d, at, book, &o)
		}
		if !maps.Equal(got, want) || r.Differ != uint64(len(want)) || r.Sequence != uint64(at) || r.Agree+r.Differ != r.Compared {
			t.Fatalf("found %v, want %v; report %+v", got, want, r)
		}
	})
}

// checkExplained: the entries of a difference are those since the newest after which both agreed.
func checkExplained(t *rapid.T, h *history, d *Difference, at int, book map[string]int64, o *Options) {
	if d.Kind == UnknownHere {
		return
	}
	var since []uint64
	agreed := uint64(0)
	for _, e := range slices.Backward(h.entries[:at]) {
		if e.DebitAccount != d.Account && e.CreditAccount != d.Account {
			continue
		}
		if d.Kind == Differs && distance(h.after[e.Sequence][d.Account], book[d.Account]) <= uint64(o.Tolerance) {
			agreed = e.Sequence
			break
		}
		since = append(since, e.Sequence)
	}
	var told []uint64
	for _, e := range d.entries {
		told = append(told, e.Sequence)
	}
	if agreed != d.AgreedAt || !slices.Equal(told, since[:min(len(since), o.Entries)]) || agreed > 0 && d.Since != len(since) {
		t.Fatalf("account %s: agreed at %d, entries %v, %d since; want %d, %v", d.Account, d.AgreedAt, told, d.Since, agreed, since)
	}
}

// small has two accounts: a with 100.00, b with -100.00.
func small() *history {
	h := newHistory()
	h.open("a")
	h.open("b")
	h.move("b", "a", 10_000)
	return h
}

func TestOptions(t *testing.T) {
	ctx := t.Context()
	o := Options{Ledger: "usd", Scale: 2, Limit: 10, Entries: 5, Depth: 10}
	both := map[string]int64{"a": 10_000, "b": -10_000}
	only := map[string]int64{"a": 10_000}
	for name, c := range map[string]struct {
		book map[string]int64
		o    func(*Options)
		want string // kinds, in order
	}{
		"equal":                    {both, func(*Options) {}, ""},
		"one is missing":           {only, func(*Options) {}, "b missing_there"},
		"only those listed":        {only, func(o *Options) { o.Listed = true }, ""},
		"missing is not zero here": {only, func(o *Options) { o.Zero = true }, "b missing_there"},
		"missing is zero":          {map[string]int64{"a": 10_000, "b": -10_000, "c": 0}, func(o *Options) { o.Zero = true }, ""},
		"held":                     {map[string]int64{"a": 7, "b": 8}, func(o *Options) { o.Balance = Held }, "b differs"},
		"available":                {map[string]int64{"a": 9_993, "b": -10_007}, func(o *Options) { o.Balance = Available }, ""},
		"far apart":                {map[string]int64{"a": math.MinInt64, "b": math.MaxInt64}, func(*Options) {}, "a differs, b differs"},
		"more than are told":       {map[string]int64{"a": 1, "b": 1}, func(o *Options) { o.Limit = 1 }, "a differs"},
	} {
		t.Run(name, func(t *testing.T) {
			o := o
			c.o(&o)
			r, err := Run(ctx, small(), bookOf(c.book), o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range r.Differences {
				got = append(got, d.Account+" "+string(d.Kind))
			}
			if strings.Join(got, ", ") != c.want || r.Equal() != (c.want == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
			if v := r.View(); name == "far apart" && (v.Largest != "92233720368547858.08" || v.Differences[1].Difference != "-92233720368547858.07") {
				t.Errorf("%+v", v)
			}
			if v := r.View(); name == "more than are told" && v.Untold != 1 {
				t.Errorf("%d are not told, want 1", v.Untold)
			}
		})
	}
}

// TestTheirsCannotBeRead: what is wrong with the other book is said with its place, and is no difference.
func TestTheirsCannotBeRead(t *testing.T) {
	row := func(account, balance string) []Row { return []Row{{account, balance, "line 7"}} }
	for name, c := range map[string]struct {
		theirs *listed
		says   string
		o      Options
	}{
		"not a number":      {&listed{rows: row("a", "1e5")}, "line 7", Options{}},
		"empty":             {&listed{rows: row("a", "")}, "line 7", Options{}},
		"too exact":         {&listed{rows: row("a", "1.005")}, "steps of 0.01", Options{}},
		"too much":          {&listed{rows: row("a", "99999999999999999999")}, "line 7", Options{}},
		"no account":        {&listed{rows: row("", "1")}, "there is no account", Options{}},
		"twice":             {&listed{rows: append(row("a", "1"), row("a", "1")...)}, "comes twice", Options{}},
		"breaks off":        {&listed{rows: row("a", "1"), err: errors.New("it broke off")}, "it broke off", Options{}},
		"a position ahead":  {&listed{sequence: 99}, "of another cluster", Options{}},
		"held, of the past": {&listed{sequence: 1}, "of the past are not known", Options{Balance: Held}},
	} {
		t.Run(name, func(t *testing.T) {
			c.o.Scale = 2
			if _, err := Run(t.Context(), small(), c.theirs, c.o); !errors.Is(err, ErrTheirs) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want one that says %q", err, c.says)
			}
		})
	}
}

func TestCSV(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"plain":        {"id,x,sum\na,1,2\n\"b,c\",3,-4.50\n", "a=2 b,c=-4.50 "},
		"with a mark":  {"\xef\xbb\xbfid,sum\na,2\n", "a=2 "},
		"an export":    {"id,sum\na,2\n# whole: accounts, 1 rows, index 4, sequence 5, log time , cluster c\n", "a=2 "},
		"like a mark":  {"id,sum\n#a,2\n# whole: b,3\n", "#a=2 # whole: b=3 "},
		"empty":        {"", "its first line must name its columns"},
		"no column":    {"id,total\na,2\n", `no column "sum"`},
		"short row":    {"id,x,sum\na,1\n", "line 2 has 2 columns, expected 3"},
		"bad quotes":   {"id,sum\na,\"2\n", "extraneous or missing"},
		"columns only": {"id,sum\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			book := &CSV{In: strings.NewReader(c.text), Account: "id", Balance: "sum"}
			got := ""
			for row, err := range book.Rows(t.Context()) {
				if err != nil {
					got = err.Error()
					break
				}
				got += row.Account + "=" + row.Balance + " "
			}
			if got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}
