package ledger

import (
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// MaxCaps is how many velocity caps an account has at most, of different windows.
const MaxCaps = 2

// Cap bounds the sum of an account's debits in any stretch of log time of a length. The zero value is none.
type Cap struct {
	Window int64 // nanoseconds, MinCapWindow to MaxCapWindow
	Limit  int64 // minor units, at least 0
}

// A cap's debits are summed up in buckets of a 16th of its window (rounded up), aligned to log time. The present bucket and
// the 16 before it count: never less than the window, and at most a bucket more. So no stretch of the window's length
// ever sees more than the limit, and a debit that is refused may have to wait up to a 16th of the window longer than
// it had to by the exact sum.
const (
	bucketsPerWindow = 16
	capBuckets       = bucketsPerWindow + 1
)

// capState is a cap and what counts against it.
type capState struct {
	Cap
	newest int64  // number of the newest bucket
	since  uint64 // sequence of the entry that set it: what was held before does not count
	sums   [capBuckets]int64
}

// Velocity record, velocityBytes long: index 8 | slot of the account 4 | 0, 4 | two caps: window 8, limit 8, newest 8, since 8, 17
// sums of 8.
const capBytes = 32 + 8*capBuckets

type velocity struct {
	account uint32
	caps    [MaxCaps]capState
}

func decodeVelocity(rec []byte) (v velocity) {
	v.account = le.Uint32(rec[8:])
	decodeCaps(rec[16:], &v.caps)
	return v
}

func decodeCaps(rec []byte, caps *[MaxCaps]capState) {
	for i := range caps {
		c, b := &caps[i], rec[i*capBytes:]
		c.Window, c.Limit, c.newest, c.since = i64(b), i64(b[8:]), i64(b[16:]), le.Uint64(b[24:])
		for j := range c.sums {
			c.sums[j] = i64(b[32+8*j:])
		}
	}
}

func encodeCaps(rec []byte, caps *[MaxCaps]capState) {
	for i := range caps {
		c, b := &caps[i], rec[i*capBytes:]
		putI64(b, c.Window)
		putI64(b[8:], c.Limit)
		putI64(b[16:], c.newest)
		le.PutUint64(b[24:], c.since)
		for j := range c.sums {
			putI64(b[32+8*j:], c.sums[j])
		}
	}
}

func (v *velocity) encode(rec []byte) {
	le.PutUint32(rec[8:], v.account)
	encodeCaps(rec[16:], &v.caps)
}

func (c *capState) width() int64 { return (c.Window-1)/bucketsPerWindow + 1 }

// number is that of the bucket of a time.
func (c *capState) number(at int64) int64 { return at / c.width() }

// pass moves on to the bucket of now: what is too old counts no more.
func (c *capState) pass(now int64) {
	n := c.number(now)
	for i := max(c.newest+1, n-bucketsPerWindow); i <= n; i++ {
		c.sums[i%capBuckets] = 0
	}
	c.newest = max(c.newest, n)
}

// sum is what counts; it is at most what the limit was when the last of it was added.
func (c *capState) sum() (sum int64) {
	for _, s := range c.sums {
		sum += s
	}
	return sum
}

func (c *capState) add(amount int64) { c.sums[c.newest%capBuckets] += amount }

func (c *capState) room() int64 { return less(c.Limit, c.sum()) }

// giveBack takes out what was held at a time and is not any more, if it still counts.
func (c *capState) giveBack(created, amount int64) {
	if n := c.number(created); n >= c.newest-bucketsPerWindow {
		s := &c.sums[n%capBuckets]
		*s -= min(*s, amount)
	}
}

// velocityBook is the table of caps. An account has a record from the first time that it has a cap, for ever.
type velocityBook struct {
	table  *page.Table
	byUser map[uint32]uint32 // slot of the account -> slot here
}

// velocityDraft is the copy of a record that a unit works on.
type velocityDraft struct {
	velocity
	slot    uint32
	created bool
}

// openVelocity returns the place in velocities of the account's record; create makes one where there is none.
func (s *State) openVelocity(account uint32, create bool) (*velocityDraft, bool) {
	w := &s.work
	for i := range w.velocities {
		if d := &w.velocities[i]; d.account == account {
			return d, true
		}
	}
	slot, ok := s.velocity.byUser[account]
	switch {
	case ok:
		w.velocities = append(w.velocities, velocityDraft{slot: slot, velocity: decodeVelocity(s.velocity.table.Get(uint64(slot)))})
	case create:
		w.velocities = append(w.velocities, velocityDraft{created: true, velocity: velocity{account: account}})
	default:
		return nil, false
	}
	return &w.velocities[len(w.velocities)-1], true
}

// velocityRoom is what the account's caps leave for a debit now; it may be below 0.
func (s *State) velocityRoom(t *touch) int64 {
	room := int64(1<<63 - 1)
	if t.flags&flagVelocity == 0 {
		return room
	}
	v, _ := s.openVelocity(t.slot, true)
	for i := range v.caps {
		if c := &v.caps[i]; c.Window != 0 {
			c.pass(s.meta.logTime)
			room = min(room, c.room())
		}
	}
	return room
}

// spend counts a debit against the account's caps, or refuses it.
func (s *State) spend(t *touch, amount int64, res *Result) bool {
	if t.flags&flagVelocity == 0 {
		return true
	}
	if room := s.velocityRoom(t); amount > room {
		refuse(res, CodeVelocityExceeded, SideDebit)
		res.Asked, res.Available = amount, room
		return false
	}
	v, _ := s.openVelocity(t.slot, true)
	for i := range v.caps {
		if c := &v.caps[i]; c.Window != 0 {
			c.add(amount)
		}
	}
	return true
}

// unspend gives back what a hold held and does not any more.
func (s *State) unspend(t *touch, h *hold, amount int64) {
	if t.flags&flagVelocity == 0 || amount == 0 {
		return
	}
	v, _ := s.openVelocity(t.slot, true)
	for i := range v.caps {
		if c := &v.caps[i]; c.Window != 0 && h.first > c.since {
			c.pass(s.meta.logTime)
			c.giveBack(h.created, amount)
		}
	}
}

// newCap counts from the entry that comes next.
func (s *State) newCap(c Cap) capState {
	now := capState{Cap: c, since: s.meta.sequence + uint64(len(s.work.effects)) + 1}
	now.newest = now.number(s.meta.logTime)
	return now
}

// setVelocity puts caps in the place of those that the account has. One of the same window goes on counting; another
// one counts from now on.
func (s *State) setVelocity(t *touch, caps *[MaxCaps]Cap) {
	v, _ := s.openVelocity(t.slot, true)
	before := v.caps
	v.caps = [MaxCaps]capState{}
	t.flags &^= flagVelocity
	for i, c := range caps {
		if c.Window == 0 {
			continue
		}
		t.flags |= flagVelocity
		now := s.newCap(c)
		for j := range before {
			if before[j].Window == c.Window {
				now = before[j]
				now.Limit = c.Limit
			}
		}
		v.caps[i] = now
	}
}

func (s *State) commitVelocities() {
	b := &s.velocity
	for i := range s.work.velocities {
		d := &s.work.velocities[i]
		if d.created {
			slot, rec := b.table.Append(s.index)
			d.encode(rec)
			b.table.End(slot, s.index)
			b.byUser[d.account] = uint32(slot)
			continue
		}
		if d.velocity != decodeVelocity(b.table.Get(uint64(d.slot))) {
			d.encode(b.table.Begin(uint64(d.slot)))
			b.table.End(uint64(d.slot), s.index)
		}
	}
}

func (s *State) rebuildVelocity(pause *pacer) error {
	for slot := range s.velocity.table.Len() {
		if err := pause.next(); err != nil {
			return err
		}
		v := decodeVelocity(s.velocity.table.Get(slot))
		if _, twice := s.velocity.byUser[v.account]; twice || uint64(v.account) >= s.accounts.Len() {
			return stateError("velocity record %d is of account %d, there are %d, and each has one at most", slot, v.account, s.accounts.Len())
		}
		if err := checkCaps(&v.caps); err != nil {
			return stateError("velocity record %d: %v", slot, err)
		}
		s.velocity.byUser[v.account] = uint32(slot)
	}
	return nil
}

func checkCaps(caps *[MaxCaps]capState) error {
	for i := range caps {
		if c := &caps[i]; c.Window < 0 || c.newest < 0 {
			return fmt.Errorf("a window of %d ns and bucket %d", c.Window, c.newest)
		}
	}
	return nil
}

// CapUse is a cap as it is read: Counted is what counts against it at log time.
type CapUse struct {
	Cap
	Counted int64
}

// capsOf are an account's caps.
func (s *State) capsOf(account uint32) (use [MaxCaps]CapUse) {
	slot, ok := s.velocity.byUser[account]
	if !ok {
		return use
	}
	v := decodeVelocity(s.velocity.table.Get(uint64(slot)))
	return s.useOf(&v.caps)
}

// useOf lets time pass for the caps.
func (s *State) useOf(caps *[MaxCaps]capState) (use [MaxCaps]CapUse) {
	for i := range caps {
		if c := &caps[i]; c.Window != 0 {
			c.pass(s.meta.logTime)
			use[i] = CapUse{c.Cap, c.sum()}
		}
	}
	return use
}
