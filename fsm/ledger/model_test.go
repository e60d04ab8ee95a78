package ledger

import (
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
)

// model is the ledger written for obviousness: maps, big numbers, copies of everything, and forgetting at once. It
// knows no byte budget.
type model struct {
	now, window, horizon int64
	books                books
	normal               map[string]modelAnswer    // by id
	exact                map[[2]string]modelAnswer // by id and payload
}

type books struct {
	ledgers  map[string]bool
	accounts map[string]modelAccount
	holds    map[string]modelHold
	entries  int
	order    []string        // ids of accounts by slot
	reversed map[uint64]bool // sequences
	told     []string        // ids of accounts that fell below their threshold, once for each time
	policies map[string]modelPolicy
	topUps   map[string]modelTopUp
}

type modelHold struct {
	account                     string
	amount, remaining, captured int64
	expires, ended              int64
	state                       HoldState
	parts                       bool
	created                     int64
	first                       int
}

type modelAccount struct {
	ledger                                string
	posted, floor                         *big.Int
	held                                  int64
	ceiling                               *big.Int // nil: none
	frozen, frozenCredits, closed, system bool
	version                               uint64
	caps                                  [MaxCaps]modelCap
	low                                   int64 // threshold, 0: none
}

type modelAnswer struct {
	payload string
	attempt uint32
	keep    int64
	result  Result
}

func newModel(window int64) *model {
	return &model{
		window: window, normal: map[string]modelAnswer{}, exact: map[[2]string]modelAnswer{},
		books: books{
			ledgers: map[string]bool{}, accounts: map[string]modelAccount{}, holds: map[string]modelHold{}, reversed: map[uint64]bool{},
			policies: map[string]modelPolicy{}, topUps: map[string]modelTopUp{},
		},
	}
}

func (b books) clone() books {
	return books{
		maps.Clone(b.ledgers), maps.Clone(b.accounts), maps.Clone(b.holds), b.entries, slices.Clone(b.order), maps.Clone(b.reversed),
		slices.Clone(b.told), maps.Clone(b.policies), maps.Clone(b.topUps),
	}
}

func (m *model) apply(now int64, ops []Operation) (results []Result) {
	m.now = max(m.now, now)
	m.horizon = max(m.horizon, m.now-m.window)
	maps.DeleteFunc(m.normal, func(_ string, a modelAnswer) bool { return a.keep < m.horizon })
	maps.DeleteFunc(m.exact, func(_ [2]string, a modelAnswer) bool { return a.keep < m.horizon })
	m.books.passTime(m.now, m.horizon)
	m.books.passTimeForTopUps(m.now, m.horizon)
	for len(ops) > 0 {
		n := 1
		for n < len(ops) && ops[n-1].Linked {
			n++
		}
		results = append(results, m.unit(ops[:n])...)
		ops = ops[n:]
	}
	return results
}

func payloadText(op Operation) string {
	topUp := op.topUp()
	op.ID, op.Attempt, op.Linked, op.Original, op.TopUp = nil, 0, false, Original{}, nil
	return fmt.Sprintf("%q", fmt.Sprintf("%+v %+v", op, topUp))
}

func payloads(ops []Operation) (texts []string) {
	group := ""
	if len(ops) > 1 {
		for _, op := range ops {
			group += fmt.Sprintf("%q %s;", op.ID, payloadText(op))
		}
	}
	for i, op := range ops {
		texts = append(texts, fmt.Sprintf("%s of %d %s", payloadText(op), i, group))
	}
	return texts
}

// known is what the rule of ids says of an operation before its effect is looked at; CodeNone: to be evaluated.
func (m *model) known(op Operation, payload string) Result {
	again := func(a modelAnswer) Result {
		a.result.Replayed = true
		return a.result
	}
	refusal := func(c Code) Result { return Result{Code: c, Attempt: op.Attempt} }
	if a, ok := m.exact[[2]string{string(op.ID), payload}]; ok && op.Attempt <= a.attempt {
		if op.Attempt < a.attempt {
			return refusal(CodeSuperseded)
		}
		return again(a)
	}
	a, ok := m.normal[string(op.ID)]
	same := ok && a.payload == payload
	switch {
	case !same && op.IssuedAt < m.horizon:
		return refusal(CodeTooOld)
	case ok && !same:
		return refusal(CodeConflict)
	case !ok && op.IssuedAt > m.now+maxAhead:
		return refusal(CodeTooEarly)
	case !ok:
		return Result{}
	case op.Attempt < a.attempt:
		return refusal(CodeSuperseded)
	case op.Attempt == a.attempt || a.result.Code == CodeApplied:
		return again(a)
	}
	return Result{}
}

func (m *model) unit(ops []Operation) []Result {
	results := make([]Result, len(ops))
	for i, op := range ops {
		if Validate(&op) != nil {
			results[i] = Result{Code: CodeInvalid, Attempt: op.Attempt}
		}
	}
	if len(ops) > 1 || ops[0].Linked {
		if i, err := ValidateGroup(ops); err != nil {
			results[i] = Result{Code: CodeInvalid, Attempt: ops[i].Attempt}
		}
	}
	if refuseOthers(ops, results) {
		return results
	}
	texts := payloads(ops)
	for i, op := range ops {
		results[i] = m.known(op, texts[i])
	}
	if refuseOthers(ops, results) {
		m.remember(ops, texts, results)
		return results
	}
	trial := m.books.clone()
	for i, op := range ops {
		results[i] = trial.evaluate(op, m.now)
		results[i].Attempt = op.Attempt
		if results[i].Code != CodeApplied {
			about := trial.accountOf(op, results[i])
			results[i].Account = uint32(slices.Index(m.books.order, about) + 1) // of those that exist after
			failed := results[i]
			clear(results)
			results[i] = failed
			refuseOthers(ops, results)
			m.remember(ops, texts, results)
			return results
		}
		results[i].Sequence = uint64(trial.entries)
	}
	trial.tellLow(&m.books, ops)
	trial.considerTopUps(m.now)
	m.books = trial
	m.remember(ops, texts, results)
	return results
}

// refuseOthers answers those without an answer because of the first that has one; false: nobody has.
func refuseOthers(ops []Operation, results []Result) bool {
	failed := slices.IndexFunc(results, func(r Result) bool { return r.Code != CodeNone })
	if failed < 0 {
		return false
	}
	for i := range results {
		if results[i].Code == CodeNone {
			results[i] = Result{Code: CodeGroupRefused, Attempt: ops[i].Attempt, FailedMember: uint32(failed)}
		}
	}
	return true
}

func (m *model) remember(ops []Operation, texts []string, results []Result) {
	keep, early := m.now, false
	for i, op := range ops {
		keep = max(keep, op.IssuedAt)
		early = early || results[i].Code == CodeTooEarly
		if results[i].Code == CodeTooOld {
			return
		}
	}
	for i, op := range ops {
		r := results[i]
		a := modelAnswer{texts[i], op.Attempt, keep, r}
		switch {
		case r.Replayed || r.Code == CodeSuperseded:
		case early || r.Code == CodeConflict:
			m.exact[[2]string{string(op.ID), texts[i]}] = a
		default:
			m.normal[string(op.ID)] = a
		}
	}
}

func (b *books) evaluate(op Operation, now int64) Result {
	switch op.Kind {
	case KindHold:
		return b.hold(op, now)
	case KindCapture, KindVoid, KindExtend:
		return b.changeHold(op, now)
	case KindCreateLedger:
		return b.createLedger(op)
	case KindCreateAccount:
		return b.createAccount(op)
	case KindReverse:
		return b.reverse(op, now)
	case KindSetLimits, KindSetFrozen, KindCloseAccount, KindSetVelocity, KindSetLowBalance, KindSetTopUp:
		return b.change(op, now)
	case KindLeaseTopUp, KindSettleTopUp:
		return b.changeTopUp(op, now)
	}
	return b.move(op, now)
}

// accountOf is the account that a refusal is about.
func (b *books) accountOf(op Operation, r Result) string {
	of := op.Original
	switch op.Kind {
	case KindReverse:
		switch {
		case r.Side == SideCredit:
			return b.order[of.Debit]
		case r.Side == SideDebit:
			return b.order[of.Credit]
		case r.Code == CodeExceedsEntry && b.accounts[b.order[of.Credit]].system:
			return b.order[of.Debit]
		case r.Code == CodeExceedsEntry:
			return b.order[of.Credit]
		}
		return ""
	case KindCapture, KindVoid, KindExtend:
		if r.Side != SideCredit && r.Code != CodeOverflow || r.Side == SideDebit {
			return b.holds[string(op.Hold)].account
		}
	case KindLeaseTopUp, KindSettleTopUp:
		account := b.topUps[string(op.TopUp.ID)].account
		switch {
		case r.Side == SideDebit:
			return b.policies[account].source
		case r.Side == SideCredit || r.Code != CodeOverflow:
			return account
		}
		return ""
	}
	return map[Side]string{SideDebit: string(op.Debit), SideCredit: string(op.Credit)}[r.Side]
}

// tellLow adds an entry for each account that a unit leaves below its threshold and that was not there before it, or whose
// threshold it set.
func (b *books) tellLow(before *books, ops []Operation) {
	for id, a := range b.accounts {
		if a.low == 0 || !a.isLow(a.low) {
			continue
		}
		set := slices.ContainsFunc(ops, func(op Operation) bool { return op.Kind == KindSetLowBalance && string(op.Credit) == id })
		if old, existed := before.accounts[id]; set || !existed || !old.isLow(a.low) {
			b.entries++
			b.told = append(b.told, id)
		}
	}
}

func (a modelAccount) isLow(threshold int64) bool {
	return a.available().Cmp(big.NewInt(threshold)) < 0
}

func (b *books) createLedger(op Operation) Result {
	name := string(op.Ledger)
	if b.ledgers[name] {
		return Result{Code: CodeLedgerExists}
	}
	b.ledgers[name] = true
	for _, side := range []string{"/credits", "/debits"} {
		b.order = append(b.order, "@"+name+side)
		b.accounts["@"+name+side] = modelAccount{ledger: name, posted: big.NewInt(0), floor: big.NewInt(math.MinInt64), system: true, version: 1}
	}
	b.entries++
	return Result{Code: CodeApplied}
}

func (b *books) createAccount(op Operation) Result {
	if !b.ledgers[string(op.Ledger)] {
		return Result{Code: CodeUnknownLedger}
	}
	if _, ok := b.accounts[string(op.Credit)]; ok {
		return Result{Code: CodeAccountExists, Side: SideCredit}
	}
	a := modelAccount{ledger: string(op.Ledger), posted: big.NewInt(0), floor: big.NewInt(op.Floor)}
	if op.HasCeiling {
		a.ceiling = big.NewInt(op.Ceiling)
	}
	b.order = append(b.order, string(op.Credit))
	return b.changed(op, a)
}

func (b *books) changed(op Operation, a modelAccount) Result {
	a.version++
	b.accounts[string(op.Credit)] = a
	b.entries++
	return Result{Code: CodeApplied, CreditPosted: a.posted.Int64(), Available: limited(a.available())}
}

func (a modelAccount) available() *big.Int { return new(big.Int).Sub(a.free(), a.floor) }

func (a modelAccount) free() *big.Int { return new(big.Int).Sub(a.posted, big.NewInt(a.held)) }

func limited(n *big.Int) int64 {
	switch {
	case n.IsInt64():
		return n.Int64()
	case n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

func (b *books) change(op Operation, now int64) Result {
	a, ok := b.accounts[string(op.Credit)]
	switch {
	case !ok:
		return Result{Code: CodeUnknownAccount, Side: SideCredit}
	case op.IfVersion != 0 && op.IfVersion != a.version:
		return Result{Code: CodeVersionMismatch, Side: SideCredit, Version: a.version}
	case a.closed:
		return Result{Code: CodeAccountClosed, Side: SideCredit}
	}
	switch op.Kind {
	case KindSetLowBalance:
		a.low = op.Amount
	case KindSetTopUp:
		return b.setTopUpPolicy(op, now)
	case KindSetVelocity:
		a.setCaps(op.Caps, b.entries+1)
	case KindSetFrozen:
		a.frozen, a.frozenCredits = op.Frozen, op.FrozenCredits
	case KindCloseAccount:
		if a.posted.Sign() != 0 || a.held != 0 {
			return Result{Code: CodeNotEmpty, Side: SideCredit}
		}
		p, ok := b.policies[string(op.Credit)]
		if ok && p.open != "" {
			return Result{Code: CodeTopUpOpen, Side: SideCredit}
		}
		if ok {
			p.on, p.look, p.rest = false, 0, 0
			b.policies[string(op.Credit)] = p
		}
		a.closed = true
	case KindSetLimits:
		floor, ceiling := big.NewInt(op.Floor), big.NewInt(op.Ceiling)
		if op.HasFloor && a.free().Cmp(floor) < 0 {
			return Result{Code: CodeInsufficientFunds, Side: SideCredit, Asked: op.Floor, Available: limited(a.free())}
		}
		if op.HasCeiling && a.posted.Cmp(ceiling) > 0 {
			return Result{Code: CodeCeilingExceeded, Side: SideCredit, Asked: op.Ceiling, Available: limited(new(big.Int).Sub(ceiling, a.posted))}
		}
		if op.HasFloor {
			a.floor = floor
		}
		if op.HasCeiling {
			a.ceiling = ceiling
		}
		if op.NoCeiling {
			a.ceiling = nil
		}
	}
	return b.changed(op, a)
}

func (b *books) move(op Operation, now int64) Result {
	from, to := string(op.Debit), string(op.Credit)
	d, ok := b.accounts[from]
	if from != "" && !ok {
		return Result{Code: CodeUnknownAccount, Side: SideDebit}
	}
	c, ok := b.accounts[to]
	if to != "" && !ok {
		return Result{Code: CodeUnknownAccount, Side: SideCredit}
	}
	named, side := d, SideDebit
	if from == "" {
		named, side = c, SideCredit
		from = "@" + c.ledger + "/credits"
		d = b.accounts[from]
	}
	if to == "" {
		to = "@" + d.ledger + "/debits"
		c = b.accounts[to]
	}
	if d.ledger != c.ledger {
		return Result{Code: CodeLedgerMismatch, Side: SideCredit}
	}
	if op.IfVersion != 0 && op.IfVersion != named.version {
		return Result{Code: CodeVersionMismatch, Side: side, Version: named.version}
	}
	if op.Kind != KindUpTo {
		return b.moveBetween(op, now, from, to, op.Amount)
	}
	if res := passes(d, c); res.Code != CodeNone {
		return res
	}
	amount := min(op.Amount, limited(d.available()), limited(d.capRoom(now)))
	if c.ceiling != nil {
		amount = min(amount, limited(new(big.Int).Sub(c.ceiling, c.posted)))
	}
	res := b.moveBetween(op, now, from, to, max(amount, 1))
	if res.Asked != 0 {
		res.Asked = op.Amount
	}
	return res.tellingAmount(max(amount, 1))
}

func (r Result) tellingAmount(amount int64) Result {
	if r.Code == CodeApplied {
		r.CreditPosted, r.Amount = 0, amount
	}
	return r
}

func passes(d, c modelAccount) Result {
	switch {
	case d.closed:
		return Result{Code: CodeAccountClosed, Side: SideDebit}
	case c.closed:
		return Result{Code: CodeAccountClosed, Side: SideCredit}
	case d.frozen:
		return Result{Code: CodeAccountFrozen, Side: SideDebit}
	case c.frozenCredits:
		return Result{Code: CodeAccountFrozen, Side: SideCredit}
	}
	return Result{}
}

func (b *books) reverse(op Operation, now int64) Result {
	of := op.Original
	switch {
	case of.Kind == 0:
		return Result{Code: CodeUnknownEntry}
	case !slices.Contains([]EntryKind{EntryCredit, EntryDebit, EntryTransfer, EntryHoldCaptured, EntryUpTo, EntryTopUpSucceeded}, of.Kind):
		return Result{Code: CodeNotReversible}
	case b.reversed[op.Entry]:
		return Result{Code: CodeAlreadyReversed}
	}
	from, to := b.order[of.Credit], b.order[of.Debit]
	d, c := b.accounts[from], b.accounts[to]
	named, side := d, SideDebit
	if d.system {
		named, side = c, SideCredit
	}
	if op.IfVersion != 0 && op.IfVersion != named.version {
		return Result{Code: CodeVersionMismatch, Side: side, Version: named.version}
	}
	if res := passes(d, c); res.Code != CodeNone {
		return res
	}
	amount := op.Amount
	if amount == 0 {
		amount = of.Amount
	}
	if amount > of.Amount {
		return Result{Code: CodeExceedsEntry, Asked: amount, Available: of.Amount}
	}
	res := b.moveBetween(op, now, from, to, amount)
	if res.Code == CodeApplied {
		b.reversed[op.Entry] = true
	}
	return res.tellingAmount(amount)
}

// moveBetween moves an amount unless a flag or a limit refuses it.
func (b *books) moveBetween(op Operation, now int64, from, to string, units int64) Result {
	d, c, amount := b.accounts[from], b.accounts[to], big.NewInt(units)
	if res := passes(d, c); res.Code != CodeNone {
		return res
	}
	d2, c2 := new(big.Int).Sub(d.posted, amount), new(big.Int).Add(c.posted, amount)
	switch {
	case !d.system && amount.Cmp(d.available()) > 0:
		return Result{Code: CodeInsufficientFunds, Side: SideDebit, Asked: units, Available: limited(d.available())}
	case c.ceiling != nil && c2.Cmp(c.ceiling) > 0:
		return Result{Code: CodeCeilingExceeded, Side: SideCredit, Asked: units, Available: limited(new(big.Int).Sub(c.ceiling, c.posted))}
	case amount.Cmp(d.capRoom(now)) > 0:
		return Result{Code: CodeVelocityExceeded, Side: SideDebit, Asked: units, Available: limited(d.capRoom(now))}
	case !d2.IsInt64() && !d.system:
		return Result{Code: CodeOverflow, Side: SideDebit, Asked: units}
	case !d2.IsInt64(), !c2.IsInt64() && c.system:
		return Result{Code: CodeOverflow, Asked: units}
	case !c2.IsInt64():
		return Result{Code: CodeOverflow, Side: SideCredit, Asked: units}
	}
	d.spend(now, units)
	d.posted, c.posted = d2, c2
	d.version++
	c.version++
	b.accounts[from], b.accounts[to] = d, c
	b.entries++
	res := Result{Code: CodeApplied, DebitPosted: d2.Int64(), CreditPosted: c2.Int64(), Available: limited(d.available())}
	if d.system {
		res.Available = limited(c.available())
	}
	return res
}
