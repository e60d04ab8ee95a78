package ledger

import (
	"fmt"
	"strings"
	"time"
)

// Words of stories about top-ups. ACCOUNT/N is the N-th top-up of an account.
//
//	policy alice below=10 amount=20 (or to=30) from=bank count=2/1h sum=50/24h back-off=1m key=1h card=c7 id=p1
//	no-policy alice id=p2
//	lease alice/1 30s by=worker id=l1
//	settle alice/1 succeeded lease=1 id=s1
//	top-up alice/1, policy-of alice, due

// topUpKind reads the operations; false: it is none of them.
func (st *story) topUpKind(op *Operation, w []string, opt map[string]string) bool {
	op.TopUp = &TopUpFields{}
	f := op.TopUp
	switch w[0] {
	case "policy":
		op.Kind, op.Credit, op.Debit = KindSetTopUp, []byte(w[1]), []byte(opt["from"])
		f.Threshold, f.BackOff, f.KeyLifetime, f.Payment = st.number(opt["below"]), st.duration(opt["back-off"]), st.duration(opt["key"]), []byte(opt["card"])
		if a, ok := opt["amount"]; ok {
			op.Amount = st.number(a)
		}
		if to, ok := opt["to"]; ok {
			f.Target = st.number(to)
		}
		for i, name := range []string{"count", "sum"} {
			if limit, window, ok := strings.Cut(opt[name], "/"); ok {
				op.Caps[i] = Cap{st.duration(window), st.number(limit)}
			}
		}
	case "no-policy":
		op.Kind, op.Credit, f.Off = KindSetTopUp, []byte(w[1]), true
	case "lease":
		op.Kind, f.ID, op.Timeout, op.Reference = KindLeaseTopUp, st.topUpID(w[1]), st.duration(w[2]), []byte(opt["by"])
	case "settle":
		op.Kind, f.ID = KindSettleTopUp, st.topUpID(w[1])
		f.Outcome = map[string]TopUpOutcome{"succeeded": OutcomeSucceeded, "declined": OutcomeDeclined, "unknown": OutcomeUnknown}[w[2]]
		if l, ok := opt["lease"]; ok {
			f.Lease = uint32(st.number(l))
		}
	default:
		op.TopUp = nil
		return false
	}
	return true
}

// topUpID is the id of ACCOUNT/N; of an account without a policy one that does not exist.
func (st *story) topUpID(name string) []byte {
	account, n, _ := strings.Cut(name, "/")
	slot, _ := st.s.find([]byte(account))
	since := int64(0)
	if at, ok := st.s.policies.byUser[slot]; ok {
		since = decodePolicy(st.s.policies.table.Get(uint64(at))).since
	}
	id := topUpID([]byte(account), since, uint64(st.number(n)))
	return AppendUUID(nil, id[:])
}

// topUpCommand answers what is asked about top-ups; false: it is no such question.
func (st *story) topUpCommand(words []string) bool {
	switch words[0] {
	case "top-up":
		if t, ok := st.s.TopUp(st.topUpID(words[1])); ok {
			st.printf("%s %s", words[1], st.formatTopUp(&t))
		} else {
			st.printf("no such top-up")
		}
	case "policy-of":
		if p, _, ok := st.s.TopUpPolicy([]byte(words[1])); ok {
			st.printf("%s", st.formatPolicy(&p))
		} else {
			st.printf("no policy")
		}
	case "due":
		var names []string
		for _, id := range st.s.DueTopUps(st.s.LogTime(), 10) {
			t, _ := st.s.TopUp([]byte(id))
			names = append(names, t.Account)
		}
		st.printf("due: %s", strings.Join(names, " "))
	default:
		return false
	}
	return true
}

func (st *story) formatTopUp(t *TopUp) string {
	s := fmt.Sprintf("of %s: %d, %s, made %s", t.Account, t.Amount, [...]string{"free", "open", "succeeded", "declined", "cancelled"}[t.State], st.since(t.Created))
	if t.Lease > 0 {
		s += fmt.Sprintf(", lease %d by %q until %s, charge by %s", t.Lease, t.Holder, st.since(t.Leased), st.since(t.ChargeBy))
	}
	for _, f := range []struct {
		on   bool
		name string
	}{{t.LookupOnly, ", look up only"}, {t.Unknown, ", was unknown"}, {t.Ended != 0, ", ended " + st.since(t.Ended)}, {t.Payment != "", ", " + t.Payment}} {
		if f.on {
			s += f.name
		}
	}
	return s + fmt.Sprintf(", entries %d to %d", t.FirstSequence, t.LastSequence)
}

func (st *story) formatPolicy(p *TopUpPolicy) string {
	s := fmt.Sprintf("%s below %d, amount %d, target %d, from %s, made %d", p.Account, p.Threshold, p.Amount, p.Target, p.Source, p.Made)
	for _, c := range []struct {
		name string
		use  CapUse
	}{{"count", p.CountCap}, {"sum", p.SumCap}} {
		if c.use.Window != 0 {
			s += fmt.Sprintf(", %s %d of %d in %s", c.name, c.use.Counted, c.use.Limit, time.Duration(c.use.Window))
		}
	}
	if p.Declines > 0 {
		s += fmt.Sprintf(", %d declined", p.Declines)
	}
	for _, f := range []struct {
		on   bool
		text string
	}{{p.Open != "", ", one open"}, {p.RestsUntil != 0, ", rests until " + st.since(p.RestsUntil)}, {p.LooksAt != 0, ", looks at " + st.since(p.LooksAt)}, {!p.On, ", off"}} {
		if f.on {
			s += f.text
		}
	}
	return s
}
