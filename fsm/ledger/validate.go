package ledger

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// FieldError says which field of an operation is out of its documented bounds. Such an operation is answered INVALID.
type FieldError struct {
	Field   string // as in ballast.v1, for example "id" or "amount"
	Problem string // what was expected and what was found
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// Validate checks one operation by itself, whatever the state: every copy of it is valid or none is. Admission and
// State.Apply use the same check. The error is a *FieldError. What concerns a whole group (its size, ids that occur
// twice in it) is checked by ValidateGroup.
func Validate(op *Operation) error {
	if e := validate(op); e != nil {
		return e
	}
	return nil
}

// ValidateGroup checks what concerns an atomic group as a whole and returns the position of the first member at fault.
// Each member still has to pass Validate.
func ValidateGroup(ops []Operation) (member int, err error) {
	if len(ops) > MaxGroup {
		return MaxGroup, &FieldError{"linked", fmt.Sprintf("at most %d operations in a group, found %d", MaxGroup, len(ops))}
	}
	if last := len(ops) - 1; ops[last].Linked {
		return last, &FieldError{"linked", "the last operation of a request cannot be linked to a next one"}
	}
	if i := repeated(ops); i > 0 {
		return i, errTwice
	}
	return 0, nil
}

// repeated is the first operation whose id an earlier one has, 0: none.
func repeated(ops []Operation) int {
	const few = 8
	if len(ops) <= few {
		for i := range ops {
			for j := range i {
				if bytes.Equal(ops[i].ID, ops[j].ID) {
					return i
				}
			}
		}
		return 0
	}
	seen := make(map[string]bool, len(ops))
	for i := range ops {
		if seen[string(ops[i].ID)] {
			return i
		}
		seen[string(ops[i].ID)] = true
	}
	return 0
}

// What can be wrong is fixed text, so that a refusal allocates nothing.
var (
	errID        = &FieldError{"id", "want 1 to 64 bytes of UTF-8 without control characters"}
	errTwice     = &FieldError{"id", "occurs twice in one atomic group"}
	errAttempt   = &FieldError{"attempt", "counts from 1, found 0"}
	errIssuedAt  = &FieldError{"issued_at", "want Unix nanoseconds above 0: set it once when the id is made"}
	errReference = &FieldError{"reference", "want at most 64 bytes of UTF-8 without control characters"}
	errKind      = &FieldError{"kind", "not a kind of operation that this version knows"}
	errAccount   = &FieldError{"account", "want 1 to 64 bytes of UTF-8 without control characters, not beginning with '@'"}
	errDebit     = &FieldError{"debit_account", "want 1 to 64 bytes of UTF-8 without control characters, not beginning with '@'"}
	errCredit    = &FieldError{"credit_account", "want 1 to 64 bytes of UTF-8 without control characters, not beginning with '@'"}
	errSame      = &FieldError{"credit_account", "must differ from debit_account"}
	errAmount    = &FieldError{"amount", "want 1 to 2^63-1 minor units"}
	errLedger    = &FieldError{"ledger", "want 1 to 32 of a-z, 0-9, '-', '_', '.'"}
	errAsset     = &FieldError{"asset", "want 1 to 16 characters of printable ASCII"}
	errScale     = &FieldError{"scale", "want 0 to 18 decimal places"}
	errFloor     = &FieldError{"floor", "want at most 0 minor units"}
	errCeiling   = &FieldError{"ceiling", "want at least 0 minor units, and not together with no_ceiling"}
	errNoLimit   = &FieldError{"floor", "no limit to set: want floor, ceiling or no_ceiling"}
	errCredits   = &FieldError{"credits_too", "only together with frozen"}
	errHold      = &FieldError{"hold", "want 1 to 64 bytes of UTF-8 without control characters: the id of the operation that made it"}
	errTimeout   = &FieldError{"timeout", "want 1 ns to 400 days"}
	errCapture   = &FieldError{"amount", "want 1 to 2^63-1 minor units, or 0 for all of it"}
	errVersion   = &FieldError{"if_version", "an operation that creates has no version to compare"}
	errEntry     = &FieldError{"entry", "want the sequence number of an entry, from 1"}
	errWindow    = &FieldError{"caps", "want windows of 1 second to 400 days, all different"}
	errLimit     = &FieldError{"caps", "want limits of at least 0 minor units"}
	errLow       = &FieldError{"threshold", "want 1 to 2^63-1 minor units, or 0 for none"}
	errForeign   = &FieldError{"kind", "a field is set that this kind of operation does not have"}
)

func validate(op *Operation) *FieldError {
	switch {
	case len(op.ID) == 0 || len(op.ID) > MaxIDLen || !isText(op.ID):
		return errID
	case op.Attempt == 0:
		return errAttempt
	case op.IssuedAt <= 0:
		return errIssuedAt
	case len(op.Reference) > MaxReferenceLen || !isText(op.Reference):
		return errReference
	}
	if op.TopUp != nil && !op.Kind.ofTopUp() {
		return errForeign
	}
	if op.hasMore() || op.Original != (Original{}) {
		if e := validateMore(op); e != nil {
			return e
		}
	}
	switch op.Kind {
	case KindCredit, KindDebit, KindTransfer, KindUpTo:
		return validateMovement(op)
	case KindCreateLedger:
		return validateCreateLedger(op)
	case KindCreateAccount, KindSetLimits:
		return validateLimits(op)
	case KindSetFrozen, KindCloseAccount, KindSetVelocity, KindSetLowBalance:
		return validateFlags(op)
	case KindReverse:
		return validateReverse(op)
	case KindHold, KindCapture, KindVoid, KindExtend:
		return validateHold(op)
	case KindSetTopUp:
		return validateTopUpPolicy(op)
	case KindLeaseTopUp, KindSettleTopUp:
		return validateTopUp(op)
	}
	return errKind
}

func validateMovement(op *Operation) *FieldError {
	debit, credit := op.Kind != KindCredit, op.Kind != KindDebit && (op.Kind != KindUpTo || len(op.Credit) > 0)
	both := debit && credit || op.Kind == KindUpTo
	switch {
	case debit && !isAccount(op.Debit):
		return pick(both, errDebit, errAccount)
	case credit && !isAccount(op.Credit):
		return pick(both, errCredit, errAccount)
	case both && bytes.Equal(op.Debit, op.Credit):
		return errSame
	case op.Amount <= 0:
		return errAmount
	case !debit && len(op.Debit) > 0, !credit && len(op.Credit) > 0, hasLedger(op), hasLimits(op), hasFlags(op), hasHold(op):
		return errForeign
	}
	return nil
}

func validateCreateLedger(op *Operation) *FieldError {
	switch {
	case !isLedger(op.Ledger):
		return errLedger
	case !isAsset(op.Asset):
		return errAsset
	case op.Scale > MaxScale:
		return errScale
	case len(op.Debit) > 0, len(op.Credit) > 0, op.Amount != 0, hasLimits(op), hasFlags(op), hasHold(op):
		return errForeign
	}
	return nil
}

func validateLimits(op *Operation) *FieldError {
	create := op.Kind == KindCreateAccount
	switch {
	case !isAccount(op.Credit):
		return errAccount
	case create && !isLedger(op.Ledger):
		return errLedger
	case op.Floor > 0:
		return errFloor
	case op.Ceiling < 0, op.HasCeiling && op.NoCeiling:
		return errCeiling
	case !create && !op.HasFloor && !op.HasCeiling && !op.NoCeiling:
		return errNoLimit
	case !op.HasFloor && op.Floor != 0, !op.HasCeiling && op.Ceiling != 0, len(op.Debit) > 0, op.Amount != 0,
		create && op.NoCeiling, !create && len(op.Ledger) > 0, len(op.Asset) > 0, op.Scale != 0, hasFlags(op), hasHold(op):
		return errForeign
	}
	return nil
}

func validateFlags(op *Operation) *FieldError {
	switch {
	case !isAccount(op.Credit):
		return errAccount
	case op.Kind == KindSetFrozen && op.FrozenCredits && !op.Frozen:
		return errCredits
	case op.Kind == KindSetLowBalance && op.Amount < 0:
		return errLow
	case op.Kind != KindSetFrozen && hasFlags(op), len(op.Debit) > 0, op.Kind != KindSetLowBalance && op.Amount != 0, hasLedger(op), hasLimits(op), hasHold(op):
		return errForeign
	}
	return nil
}

// validateMore checks fields that most operations do not have.
func validateMore(op *Operation) *FieldError {
	creates := op.Kind == KindCreateLedger || op.Kind == KindCreateAccount
	a, b := op.Caps[0], op.Caps[1]
	switch {
	case creates && op.IfVersion != 0:
		return errVersion
	case op.Kind != KindReverse && (op.Entry != 0 || op.Original != Original{}):
		return errForeign
	case op.Kind == KindSetTopUp:
		return nil
	case op.Kind != KindSetVelocity && op.Caps != [MaxCaps]Cap{}:
		return errForeign
	case a.Window == 0 && a != b, a.Window == b.Window && a.Window != 0, b.Window == 0 && b.Limit != 0, !isWindow(a.Window), !isWindow(b.Window):
		return errWindow
	case a.Limit < 0 || b.Limit < 0:
		return errLimit
	}
	return nil
}

func isWindow(w int64) bool { return w == 0 || w >= MinCapWindow && w <= MaxCapWindow }

func validateReverse(op *Operation) *FieldError {
	switch {
	case op.Entry == 0:
		return errEntry
	case op.Amount < 0:
		return errCapture
	case len(op.Debit) > 0, len(op.Credit) > 0, hasLedger(op), hasLimits(op), hasFlags(op), hasHold(op):
		return errForeign
	}
	return nil
}

func validateHold(op *Operation) *FieldError {
	create, capture := op.Kind == KindHold, op.Kind == KindCapture
	timed := create || op.Kind == KindExtend
	switch {
	case create && !isAccount(op.Debit):
		return errAccount
	case create && op.Amount <= 0:
		return errAmount
	case !create && (len(op.Hold) == 0 || len(op.Hold) > MaxIDLen || !isText(op.Hold)):
		return errHold
	case capture && len(op.Credit) > 0 && !isAccount(op.Credit):
		return errCredit
	case capture && op.Amount < 0:
		return errCapture
	case timed && (op.Timeout <= 0 || op.Timeout > MaxHoldTimeout):
		return errTimeout
	case create && len(op.Hold) > 0, !create && len(op.Debit) > 0, !capture && (len(op.Credit) > 0 || op.Last), !create && op.Parts,
		!timed && op.Timeout != 0, !create && !capture && op.Amount != 0, hasLedger(op), hasLimits(op), hasFlags(op):
		return errForeign
	}
	return nil
}

func pick(first bool, a, b *FieldError) *FieldError {
	if first {
		return a
	}
	return b
}

func hasLedger(op *Operation) bool { return len(op.Ledger) > 0 || len(op.Asset) > 0 || op.Scale != 0 }

func hasLimits(op *Operation) bool {
	return op.HasFloor || op.HasCeiling || op.NoCeiling || op.Floor != 0 || op.Ceiling != 0
}

func hasHold(op *Operation) bool { return len(op.Hold) > 0 || op.Timeout != 0 || op.Parts || op.Last }

func hasFlags(op *Operation) bool { return op.Frozen || op.FrozenCredits }

// ValidAccountID reports whether id may name an account in an operation: 1 to 64 bytes of UTF-8 without control
// characters, not beginning with '@'.
func ValidAccountID(id []byte) bool { return isAccount(id) }

// ValidLedgerName reports whether name may name a ledger: 1 to 32 of a-z, 0-9, '-', '_', '.'.
func ValidLedgerName(name []byte) bool { return isLedger(name) }

func isAccount(b []byte) bool {
	return len(b) > 0 && len(b) <= MaxAccountLen && b[0] != systemPrefix && isText(b)
}

func isLedger(b []byte) bool {
	if len(b) == 0 || len(b) > MaxLedgerLen {
		return false
	}
	for _, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}

func isAsset(b []byte) bool {
	if len(b) == 0 || len(b) > MaxAssetLen {
		return false
	}
	for _, c := range b {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return true
}

// ValidReference tells whether b can be an operation's reference.
func ValidReference(b []byte) bool { return len(b) <= MaxReferenceLen && isText(b) }

// isText reports whether b is UTF-8 without control characters (U+0000 to U+001F, U+007F to U+009F). It uses no table
// of the Unicode version that this binary was built with: all versions must agree for ever.
func isText(b []byte) bool {
	for len(b) >= 8 && isPrintable(le.Uint64(b)) {
		b = b[8:]
	}
	for i, c := range b {
		if c < ' ' || c > '~' {
			return isTextBeyondASCII(b[i:])
		}
	}
	return true
}

// isPrintable reports whether 8 bytes are all ' ' to '~'. Where one is below, the subtraction sets its highest bit, where
// one is above, the addition does or it is set; what is carried into others matters only where that is so.
func isPrintable(w uint64) bool {
	const ones = 0x0101010101010101
	return (w|(w-' '*ones)|(w+ones))&(0x80*ones) == 0
}

func isTextBeyondASCII(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r < ' ' || r >= 0x7f && r <= 0x9f || r == utf8.RuneError && n == 1 {
			return false
		}
		b = b[n:]
	}
	return true
}
