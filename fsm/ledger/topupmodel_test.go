package ledger

import (
	"fmt"
	"maps"
	"math/big"
	"slices"

	"pgregory.net/rapid"
)

type modelPolicy struct {
	on                                   bool
	source, payment                      string
	threshold, amount, target            int64
	backOff, lifetime, since, rest, look int64
	made                                 uint64
	declines                             uint32
	open                                 string // id
	count, sum                           modelCap
}

type modelTopUp struct {
	account, holder, payment                             string
	amount, created, firstLease, leased, lifetime, ended int64
	first                                                int
	state                                                TopUpState
	lease                                                uint32
	unknown                                              bool
}

// passTimeForTopUps forgets what ended before the horizon, and looks at every policy whose time has come.
func (b *books) passTimeForTopUps(now, horizon int64) {
	maps.DeleteFunc(b.topUps, func(_ string, t modelTopUp) bool { return t.ended != 0 && t.ended < horizon })
	for id, p := range b.policies {
		if p.look != 0 && p.look <= now {
			p.look = 0
			b.policies[id] = p
		}
	}
	b.considerTopUps(now)
}

// considerTopUps looks at all accounts with a policy, touched or not.
func (b *books) considerTopUps(now int64) {
	for id, p := range b.policies {
		a := b.accounts[id]
		switch {
		case p.open != "":
			if a.frozen || !p.on {
				b.cancelTopUp(id, now)
			}
		case p.on && !a.frozen && a.available().Cmp(big.NewInt(p.threshold)) < 0 && p.look <= now:
			b.policies[id] = b.topUp(id, p, now)
		}
	}
}

func (b *books) topUp(account string, p modelPolicy, now int64) modelPolicy {
	a := b.accounts[account]
	amount := p.amount
	if amount == 0 {
		amount = p.target - limited(a.available())
	}
	p.look = 0
	if a.ceiling != nil && new(big.Int).Add(a.posted, big.NewInt(amount)).Cmp(a.ceiling) > 0 {
		return p
	}
	if p.rest > now {
		p.look = p.rest
		return p
	}
	fits := true
	for _, c := range []struct {
		cap  *modelCap
		want int64
	}{{&p.count, 1}, {&p.sum, amount}} {
		if c.cap.Window != 0 && new(big.Int).Add(c.cap.counted(now), big.NewInt(c.want)).Cmp(big.NewInt(c.cap.Limit)) > 0 {
			p.look, fits = max(p.look, c.cap.nextLess(now)), false
		}
	}
	if !fits {
		return p
	}
	p.count.saw(now, 1)
	p.sum.saw(now, amount)
	p.made++
	id := topUpID([]byte(account), p.since, p.made)
	p.open = string(AppendUUID(nil, id[:]))
	b.entries++
	b.topUps[p.open] = modelTopUp{
		account: account, amount: amount, created: now, leased: now, lifetime: p.lifetime, first: b.entries, state: TopUpOpen, payment: p.payment,
	}
	a.version++
	b.accounts[account] = a
	return p
}

// nextLess is when less counts than now, 0: nothing counts.
func (c *modelCap) nextLess(now int64) int64 {
	if c.counted(now).Sign() == 0 {
		return 0
	}
	at := c.bucket(now)
	for c.counted(at*((c.Window+15)/16)).Cmp(c.counted(now)) == 0 {
		at++
	}
	return at * ((c.Window + 15) / 16)
}

func (c *modelCap) saw(now, amount int64) {
	if c.Window != 0 {
		c.seen = append(slices.Clone(c.seen), modelDebit{c.bucket(now), amount})
	}
}

func (c *modelCap) unsee(t modelTopUp, amount int64) {
	if c.Window == 0 || t.first <= c.since {
		return
	}
	in := int64(0)
	for _, d := range c.seen {
		if d.bucket == c.bucket(t.created) {
			in += d.amount
		}
	}
	c.seen = append(slices.Clone(c.seen), modelDebit{c.bucket(t.created), -min(in, amount)})
}

// resee: what was counted when the top-up was made counts from now on.
func (c *modelCap) resee(t modelTopUp, now, amount int64) {
	if t.first > c.since {
		c.unsee(t, amount)
		c.saw(now, amount)
	}
}

// cancelTopUp takes back an account's top-up that nobody has leased.
func (b *books) cancelTopUp(account string, now int64) {
	p, a := b.policies[account], b.accounts[account]
	t, ok := b.topUps[p.open]
	if !ok || t.lease != 0 {
		return
	}
	p.count.unsee(t, 1)
	p.sum.unsee(t, t.amount)
	t.state, t.ended = TopUpCancelled, now
	a.version++
	b.topUps[p.open], b.accounts[account] = t, a
	p.open = ""
	b.policies[account] = p
	b.entries++
}

// setTopUpPolicy is called for an account that exists and is not closed.
func (b *books) setTopUpPolicy(op Operation, now int64) Result {
	id, f := string(op.Credit), op.TopUp
	p, had := b.policies[id]
	if f.Off {
		res := b.changed(op, b.accounts[id])
		if had {
			p.on, p.look, p.rest = false, 0, 0
			b.policies[id] = p
		}
		return res
	}
	p.source = "@" + b.accounts[id].ledger + "/credits"
	if len(op.Debit) > 0 {
		p.source = string(op.Debit)
	}
	source, ok := b.accounts[p.source]
	switch {
	case !ok:
		return Result{Code: CodeUnknownAccount, Side: SideDebit}
	case source.ledger != b.accounts[id].ledger:
		return Result{Code: CodeLedgerMismatch, Side: SideDebit}
	case source.closed:
		return Result{Code: CodeAccountClosed, Side: SideDebit}
	}
	if !had {
		p.since = now
	}
	p.on, p.threshold, p.amount, p.target, p.backOff, p.lifetime = true, f.Threshold, op.Amount, f.Target, f.BackOff, f.KeyLifetime
	p.payment, p.rest, p.look, p.declines = string(f.Payment), 0, 0, 0
	for i, c := range []*modelCap{&p.count, &p.sum} {
		if want := op.Caps[i]; want.Window == c.Window {
			c.Limit = want.Limit
		} else {
			*c = modelCap{Cap: want, since: b.entries + 1}
		}
	}
	b.policies[id] = p
	return b.changed(op, b.accounts[id])
}

func (b *books) changeTopUp(op Operation, now int64) Result {
	f := op.TopUp
	id := string(f.ID)
	t, ok := b.topUps[id]
	switch {
	case !ok:
		return Result{Code: CodeUnknownTopUp}
	case t.state != TopUpOpen:
		return Result{Code: CodeTopUpEnded}
	}
	a, p := b.accounts[t.account], b.policies[t.account]
	switch {
	case op.IfVersion != 0 && op.IfVersion != a.version:
		return Result{Code: CodeVersionMismatch, Side: SideCredit, Version: a.version}
	case op.Kind == KindLeaseTopUp && t.leased > now, f.Lease != 0 && f.Lease != t.lease,
		f.Outcome == OutcomeDeclined && f.Lease == 0 && t.leased > now:
		return Result{Code: CodeTopUpLeased}
	}
	amount := int64(0)
	switch {
	case op.Kind == KindLeaseTopUp:
		if t.lease == 0 {
			t.firstLease = now
		}
		t.lease, t.leased, t.holder, amount = t.lease+1, now+op.Timeout, string(op.Reference), t.amount
	case f.Outcome == OutcomeSucceeded:
		res := b.moveBetween(op, now, p.source, t.account, t.amount)
		if res.Code != CodeApplied {
			return res
		}
		res.Available = limited(b.accounts[t.account].available())
		p.count.resee(t, now, 1)
		p.sum.resee(t, now, t.amount)
		p.open, p.declines = "", 0
		t.state, t.ended = TopUpSucceeded, now
		b.topUps[id], b.policies[t.account] = t, p
		return res.tellingAmount(t.amount)
	case f.Outcome == OutcomeDeclined:
		p.sum.unsee(t, t.amount)
		p.open, p.declines = "", p.declines+1
		if p.on {
			p.rest = now + p.backOff
			p.look = p.rest
		}
		t.state, t.ended = TopUpDeclined, now
	default:
		t.unknown = true
	}
	a.version++
	b.topUps[id], b.policies[t.account], b.accounts[t.account] = t, p, a
	return b.toldOf(t.account, amount)
}

// topUpOperation draws an operation on top-ups.
func (r *run) topUpOperation(op Operation) Operation {
	t := r.t
	op.TopUp = &TopUpFields{}
	f := op.TopUp
	account := func(label string) []byte {
		return []byte(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, label))
	}
	switch rapid.IntRange(0, 7).Draw(t, "on top-ups") {
	case 0, 1:
		op.Kind, op.Credit = KindSetTopUp, account("topped up")
		f.Threshold, f.BackOff = rapid.SampledFrom([]int64{1, 10, 40}).Draw(t, "threshold"), second*rapid.SampledFrom([]int64{1, 30}).Draw(t, "back-off")
		f.KeyLifetime, f.Payment = second*rapid.SampledFrom([]int64{60, 100}).Draw(t, "lifetime"), []byte(rapid.SampledFrom([]string{"", "card"}).Draw(t, "payment"))
		if op.Amount = rapid.SampledFrom([]int64{0, 5, 60}).Draw(t, "amount"); op.Amount == 0 {
			f.Target = f.Threshold + rapid.SampledFrom([]int64{0, 30}).Draw(t, "target")
		}
		if rapid.IntRange(0, 3).Draw(t, "from an account") == 0 {
			op.Debit = account("source")
		}
		for i, limits := range [][]int64{{1, 2, 5}, {60, 100}} {
			if rapid.Bool().Draw(t, "cap") {
				op.Caps[i] = Cap{second * rapid.SampledFrom([]int64{7, 60}).Draw(t, "window"), rapid.SampledFrom(limits).Draw(t, "limit")}
			}
		}
	case 2:
		op.Kind, op.Credit, f.Off = KindSetTopUp, account("not topped up"), true
	case 3, 4:
		op.Kind, f.ID, op.Timeout = KindLeaseTopUp, r.someTopUp(), second*rapid.SampledFrom([]int64{1, 20, 65}).Draw(t, "lease")
		op.Reference = []byte(rapid.SampledFrom([]string{"", "worker"}).Draw(t, "holder"))
	default:
		op.Kind, f.ID, f.Lease = KindSettleTopUp, r.someTopUp(), rapid.Uint32Range(0, 3).Draw(t, "under lease")
		f.Outcome = TopUpOutcome(rapid.IntRange(1, 3).Draw(t, "outcome"))
	}
	return op
}

func (r *run) someTopUp() []byte {
	ids := slices.Sorted(maps.Keys(r.m.books.topUps))
	return []byte(rapid.SampledFrom(append(ids, "top-up of nobody")).Draw(r.t, "top-up"))
}

// compareTopUps compares every top-up and policy, the list of what is due and the list of all.
func (r *run) compareTopUps() {
	t, due, all := r.t, []string{}, []string{}
	for id, want := range r.m.books.topUps {
		got, ok := r.s.TopUp([]byte(id))
		chargeBy := int64(0)
		if want.lease > 0 {
			chargeBy = want.firstLease + want.lifetime
		}
		if !ok || got.Account != want.account || got.Amount != want.amount || got.Created != want.created || got.Leased != want.leased ||
			got.Ended != want.ended || got.State != want.state || got.Lease != want.lease || got.Unknown != want.unknown || got.Holder != want.holder ||
			got.ChargeBy != chargeBy || got.LookupOnly != (want.lease > 0 && want.leased > chargeBy) || got.Payment != want.payment {
			t.Fatalf("top-up %s: %+v, want %+v", id, got, want)
		}
		if all = append(all, id); want.state == TopUpOpen && want.leased <= r.m.now {
			due = append(due, id)
		}
	}
	slices.Sort(due)
	slices.Sort(all)
	for _, s := range []*State{r.s, r.reloaded} {
		got := s.DueTopUps(r.m.now, 1000)
		if slices.Sort(got); !slices.Equal(got, due) {
			t.Fatalf("due are %q, want %q", got, due)
		}
		got = nil
		for from, more := uint64(0), true; more; {
			var page []TopUp
			page, from, more = s.TopUps(from, true, 2)
			for i := range page {
				got = append(got, page[i].ID)
			}
		}
		if slices.Sort(got); !slices.Equal(got, all) {
			t.Fatalf("top-ups are %q, want %q", got, all)
		}
	}
	for id, want := range r.m.books.policies {
		r.comparePolicy(id, want)
	}
}

func (r *run) comparePolicy(id string, want modelPolicy) {
	got, _, ok := r.s.TopUpPolicy([]byte(id))
	counted := func(c *modelCap) (n int64) {
		if c.Window != 0 {
			n = limited(c.counted(r.m.now))
		}
		return n
	}
	if !ok || got.On != want.on || got.Open != want.open || got.Made != want.made || got.LooksAt != want.look || got.Declines != want.declines ||
		got.Source != want.source || got.CountCap != (CapUse{want.count.Cap, counted(&want.count)}) || got.SumCap != (CapUse{want.sum.Cap, counted(&want.sum)}) ||
		got.Payment != want.payment || (got.RestsUntil != 0) != (want.rest > r.m.now) {
		r.t.Fatalf("policy of %s: %+v, want %+v", id, got, fmt.Sprintf("%+v", want))
	}
}
