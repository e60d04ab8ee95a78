package proposal

import (
	"encoding/binary"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// topUpOff is the flag of a policy that is taken away.
const topUpOff = 1 << 0

// emptyTopUp: it says no more than one that is not there.
func emptyTopUp(f *ledger.TopUpFields) bool {
	return !f.Off && f.Threshold|f.Target|f.BackOff|f.KeyLifetime == 0 && len(f.Payment) == 0 && len(f.ID) == 0 && f.Outcome == 0 && f.Lease == 0
}

func appendTopUp(dst []byte, f *ledger.TopUpFields) []byte {
	flags := byte(0)
	if f.Off {
		flags = topUpOff
	}
	dst = append(dst, flags, byte(f.Outcome))
	for _, n := range [...]int64{f.Threshold, f.Target, f.BackOff, f.KeyLifetime, int64(f.Lease)} {
		dst = binary.AppendUvarint(dst, uint64(n))
	}
	return appendText(appendText(dst, f.Payment), f.ID)
}

func (r *reader) topUp() *ledger.TopUpFields {
	flags := r.byte("flags of a top-up")
	r.check(flags <= topUpOff, "flags of a top-up")
	r.topUps = append(r.topUps, ledger.TopUpFields{Off: flags != 0, Outcome: ledger.TopUpOutcome(r.byte("outcome"))})
	f := &r.topUps[len(r.topUps)-1]
	for _, n := range []struct {
		to   *int64
		what string
	}{{&f.Threshold, "threshold"}, {&f.Target, "target"}, {&f.BackOff, "back-off"}, {&f.KeyLifetime, "lifetime of a key"}} {
		*n.to = int64(r.uvarint(n.what))
	}
	f.Lease = r.uvarint32("number of a lease")
	f.Payment, f.ID = r.text("payment reference"), r.text("top-up")
	r.check(!emptyTopUp(f), "top-up")
	return f
}
