package server

import (
	"fmt"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// operationReader turns operations of the wire into the ledger's. The one that it returns is valid until the next, so
// that a batch converts without allocating for each.
type operationReader struct {
	op      ledger.Operation
	scratch []byte
	// original tells what an entry moved; the zero value where there is none. An error ends the request.
	original func(sequence uint64) (ledger.Original, error)
}

// read converts p and checks its fields.
func (r *operationReader) read(p *ballastv1.Operation) (*ledger.Operation, error) {
	r.scratch = r.scratch[:0]
	r.op = ledger.Operation{
		ID:        r.bytes(p.GetId()),
		Attempt:   max(p.GetAttempt(), 1),
		Linked:    p.GetLinked(),
		IssuedAt:  p.GetIssuedAt(),
		EventTime: p.GetEventTime(),
		Code:      p.GetCode(),
		Reference: r.bytes(p.GetReference()),
		IfVersion: p.GetIfVersion(),
	}
	if err := r.kind(p); err != nil {
		return nil, err
	}
	if err := ledger.Validate(&r.op); err != nil {
		return nil, err
	}
	if r.op.Kind == ledger.KindReverse {
		var err error
		if r.op.Original, err = r.original(r.op.Entry); err != nil {
			return nil, err
		}
	}
	return &r.op, nil
}

func (r *operationReader) kind(p *ballastv1.Operation) error {
	op := &r.op
	switch k := p.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		op.Kind, op.Credit, op.Amount = ledger.KindCredit, r.bytes(k.Credit.GetAccount()), k.Credit.GetAmount()
	case *ballastv1.Operation_Debit:
		op.Kind, op.Debit, op.Amount = ledger.KindDebit, r.bytes(k.Debit.GetAccount()), k.Debit.GetAmount()
	case *ballastv1.Operation_Transfer:
		op.Kind, op.Amount = ledger.KindTransfer, k.Transfer.GetAmount()
		op.Debit, op.Credit = r.bytes(k.Transfer.GetDebitAccount()), r.bytes(k.Transfer.GetCreditAccount())
	case *ballastv1.Operation_CreateLedger:
		return r.createLedger(k.CreateLedger)
	case *ballastv1.Operation_CreateAccount:
		c := k.CreateAccount
		op.Kind, op.Credit, op.Ledger = ledger.KindCreateAccount, r.bytes(c.GetAccount()), r.bytes(c.GetLedger())
		op.HasFloor, op.Floor = c.GetFloor() != 0, c.GetFloor()
		op.HasCeiling, op.Ceiling = c.Ceiling != nil, c.GetCeiling()
	case *ballastv1.Operation_SetLimits:
		l := k.SetLimits
		op.Kind, op.Credit, op.NoCeiling = ledger.KindSetLimits, r.bytes(l.GetAccount()), l.GetNoCeiling()
		op.HasFloor, op.Floor = l.Floor != nil, l.GetFloor()
		op.HasCeiling, op.Ceiling = l.Ceiling != nil, l.GetCeiling()
	case *ballastv1.Operation_SetFrozen:
		f := k.SetFrozen
		op.Kind, op.Credit = ledger.KindSetFrozen, r.bytes(f.GetAccount())
		op.Frozen, op.FrozenCredits = f.GetFrozen(), f.GetCreditsToo()
	case *ballastv1.Operation_CloseAccount:
		op.Kind, op.Credit = ledger.KindCloseAccount, r.bytes(k.CloseAccount.GetAccount())
	case *ballastv1.Operation_SetVelocity:
		return r.setVelocity(k.SetVelocity)
	case *ballastv1.Operation_SetLowBalance:
		op.Kind, op.Credit, op.Amount = ledger.KindSetLowBalance, r.bytes(k.SetLowBalance.GetAccount()), k.SetLowBalance.GetThreshold()
	case *ballastv1.Operation_TransferUpTo:
		op.Kind, op.Amount = ledger.KindUpTo, k.TransferUpTo.GetAmount()
		op.Debit, op.Credit = r.bytes(k.TransferUpTo.GetDebitAccount()), r.bytes(k.TransferUpTo.GetCreditAccount())
	case *ballastv1.Operation_Reverse:
		op.Kind, op.Entry, op.Amount = ledger.KindReverse, k.Reverse.GetSequence(), k.Reverse.GetAmount()
	case *ballastv1.Operation_Hold:
		op.Kind, op.Debit, op.Amount = ledger.KindHold, r.bytes(k.Hold.GetAccount()), k.Hold.GetAmount()
		op.Timeout, op.Parts = k.Hold.GetTimeout(), k.Hold.GetInParts()
	case *ballastv1.Operation_CaptureHold:
		c := k.CaptureHold
		op.Kind, op.Hold, op.Amount = ledger.KindCapture, r.bytes(c.GetHold()), c.GetAmount()
		op.Credit, op.Last = r.bytes(c.GetCreditAccount()), c.GetLast()
	case *ballastv1.Operation_VoidHold:
		op.Kind, op.Hold = ledger.KindVoid, r.bytes(k.VoidHold.GetHold())
	case *ballastv1.Operation_ExtendHold:
		op.Kind, op.Hold, op.Timeout = ledger.KindExtend, r.bytes(k.ExtendHold.GetHold()), k.ExtendHold.GetTimeout()
	case *ballastv1.Operation_SetTopUpPolicy:
		return r.setTopUpPolicy(k.SetTopUpPolicy)
	case *ballastv1.Operation_LeaseTopUp:
		op.Kind, op.Timeout = ledger.KindLeaseTopUp, k.LeaseTopUp.GetTimeout()
		op.TopUp = &ledger.TopUpFields{ID: r.bytes(k.LeaseTopUp.GetTopUp())}
	case *ballastv1.Operation_SettleTopUp:
		return r.settleTopUp(k.SettleTopUp)
	default:
		return &ledger.FieldError{Field: "kind", Problem: "want one of the kinds that this version knows, found none"}
	}
	return nil
}

func (r *operationReader) createLedger(c *ballastv1.CreateLedger) error {
	if c.GetScale() > ledger.MaxScale { // before it is narrowed
		return &ledger.FieldError{Field: "scale", Problem: fmt.Sprintf("want 0 to %d decimal places", ledger.MaxScale)}
	}
	op := &r.op
	op.Kind, op.Ledger, op.Asset = ledger.KindCreateLedger, r.bytes(c.GetName()), r.bytes(c.GetAsset())
	op.Scale = uint8(c.GetScale())
	return nil
}

func (r *operationReader) setVelocity(v *ballastv1.SetVelocity) error {
	op := &r.op
	op.Kind, op.Credit = ledger.KindSetVelocity, r.bytes(v.GetAccount())
	if n := len(v.GetCaps()); n > ledger.MaxCaps {
		return &ledger.FieldError{Field: "caps", Problem: fmt.Sprintf("want at most %d, found %d", ledger.MaxCaps, n)}
	}
	for i, c := range v.GetCaps() {
		if c.GetWindow() == 0 { // which would stand for no cap
			return &ledger.FieldError{Field: "caps", Problem: "want windows of 1 second to 400 days, found 0"}
		}
		op.Caps[i] = ledger.Cap{Window: c.GetWindow(), Limit: c.GetLimit()}
	}
	return nil
}

func (r *operationReader) setTopUpPolicy(p *ballastv1.SetTopUpPolicy) error {
	op := &r.op
	op.Kind, op.Credit, op.Debit, op.Amount = ledger.KindSetTopUp, r.bytes(p.GetAccount()), r.bytes(p.GetSourceAccount()), p.GetAmount()
	op.TopUp = &ledger.TopUpFields{
		Off: p.GetOff(), Threshold: p.GetThreshold(), Target: p.GetTarget(), BackOff: p.GetBackOff(), KeyLifetime: p.GetKeyLifetime(),
		Payment: r.bytes(p.GetPaymentReference()),
	}
	if c := p.GetCountCap(); c != nil {
		if c.GetWindow() == 0 { // which would stand for no cap
			return &ledger.FieldError{Field: "count_cap", Problem: "want a window of 1 second to 400 days"}
		}
		op.Caps[0] = ledger.Cap{Window: c.GetWindow(), Limit: c.GetLimit()}
	}
	if c := p.GetSumCap(); c != nil {
		if c.GetWindow() == 0 {
			return &ledger.FieldError{Field: "sum_cap", Problem: "want a window of 1 second to 400 days"}
		}
		op.Caps[1] = ledger.Cap{Window: c.GetWindow(), Limit: c.GetLimit()}
	}
	return nil
}

func (r *operationReader) settleTopUp(s *ballastv1.SettleTopUp) error {
	outcome := s.GetOutcome()
	if outcome < 0 || outcome > ballastv1.TopUpOutcome_TOP_UP_OUTCOME_UNKNOWN { // before it is narrowed
		return &ledger.FieldError{Field: "outcome", Problem: "want succeeded, declined or unknown"}
	}
	r.op.Kind = ledger.KindSettleTopUp
	r.op.TopUp = &ledger.TopUpFields{ID: r.bytes(s.GetTopUp()), Outcome: ledger.TopUpOutcome(outcome), Lease: s.GetLease()}
	return nil
}

// bytes copies s into the scratch buffer. Where the buffer moves, earlier slices keep the old one.
func (r *operationReader) bytes(s string) []byte {
	start := len(r.scratch)
	r.scratch = append(r.scratch, s...)
	return r.scratch[start:len(r.scratch):len(r.scratch)]
}

// accountOn is the account of p that side names; empty where it has none.
func accountOn(p *ballastv1.Operation, side ledger.Side) string {
	if side == ledger.SideNone {
		return ""
	}
	switch k := p.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		return k.Credit.GetAccount()
	case *ballastv1.Operation_Debit:
		return k.Debit.GetAccount()
	case *ballastv1.Operation_Transfer:
		if side == ledger.SideDebit {
			return k.Transfer.GetDebitAccount()
		}
		return k.Transfer.GetCreditAccount()
	case *ballastv1.Operation_CreateAccount:
		return k.CreateAccount.GetAccount()
	case *ballastv1.Operation_SetLimits:
		return k.SetLimits.GetAccount()
	case *ballastv1.Operation_SetFrozen:
		return k.SetFrozen.GetAccount()
	case *ballastv1.Operation_CloseAccount:
		return k.CloseAccount.GetAccount()
	case *ballastv1.Operation_SetVelocity:
		return k.SetVelocity.GetAccount()
	case *ballastv1.Operation_SetLowBalance:
		return k.SetLowBalance.GetAccount()
	case *ballastv1.Operation_TransferUpTo:
		if side == ledger.SideDebit {
			return k.TransferUpTo.GetDebitAccount()
		}
		return k.TransferUpTo.GetCreditAccount()
	case *ballastv1.Operation_Hold:
		return k.Hold.GetAccount()
	case *ballastv1.Operation_CaptureHold:
		if side == ledger.SideCredit {
			return k.CaptureHold.GetCreditAccount()
		}
	case *ballastv1.Operation_SetTopUpPolicy:
		if side == ledger.SideDebit {
			return k.SetTopUpPolicy.GetSourceAccount()
		}
		return k.SetTopUpPolicy.GetAccount()
	}
	return ""
}
