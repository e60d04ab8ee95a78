package client

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/ballastdb/ballast/internal/moneywire"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// The bounds that the servers apply, checked here too: an invalid operation must not fail a request that it shares.
const (
	maxIDBytes        = 64
	maxAccountBytes   = 64
	maxLedgerBytes    = 32
	maxAssetBytes     = 16
	maxReferenceBytes = 64
	maxScale          = 18
	maxGroup          = 1000
	maxOperations     = 8000
	maxSubmitBytes    = 1 << 20
	maxHoldTimeout    = int64(400 * 24 * time.Hour)
	maxCaps           = 2
	minCapWindow      = int64(time.Second)
	maxCapWindow      = int64(400 * 24 * time.Hour)
	minBackOff        = int64(time.Second)
	maxBackOff        = int64(400 * 24 * time.Hour)
	minKeyLifetime    = int64(time.Minute)
	maxKeyLifetime    = int64(400 * 24 * time.Hour)
	minLease          = int64(time.Second)
	maxLease          = int64(time.Hour)
	maxPaymentBytes   = 64
)

// InvalidError names a field that is out of its documented bounds. It is ErrInvalid.
type InvalidError struct {
	// Field, such as "operations[2].credit.amount".
	Field string
	// Problem says what was found and what was expected.
	Problem string
}

// Error names the field and the problem.
func (e *InvalidError) Error() string { return fmt.Sprintf("invalid: %s: %s", e.Field, e.Problem) }

// Is makes errors.Is find ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func invalidf(field, format string, args ...any) error {
	return &InvalidError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// prepare completes ids and stamps and checks everything that the server would refuse a whole request for.
func (c *Client) prepare(ops []*ballastv1.Operation) error {
	if len(ops) == 0 || len(ops) > maxOperations {
		return invalidf("operations", "%d, expected 1 to %d", len(ops), maxOperations)
	}
	for i, op := range ops {
		if err := c.complete(op); err != nil {
			return atPosition(err, i, len(ops))
		}
		if err := validate(op); err != nil {
			return atPosition(err, i, len(ops))
		}
	}
	if len(ops) == 1 {
		if ops[0].GetLinked() {
			return invalidf("linked", "true on the last operation, expected the rest of its group in the same call")
		}
		return nil
	}
	if err := checkGroups(ops); err != nil {
		return err
	}
	return checkDistinct(ops)
}

func atPosition(err error, i, n int) error {
	var invalid *InvalidError
	if n > 1 && errors.As(err, &invalid) {
		invalid.Field = fmt.Sprintf("operations[%d].%s", i, invalid.Field)
	}
	return err
}

// complete gives an operation its id and its stamp where it has none.
func (c *Client) complete(op *ballastv1.Operation) error {
	if op == nil {
		return invalidf("operation", "nil")
	}
	if op.Id == "" {
		now := c.clock.now()
		op.Id = newID(now)
		if milliseconds := now.UnixMilli(); op.IssuedAt == 0 && believable(milliseconds) {
			op.IssuedAt = milliseconds * int64(time.Millisecond) // as IssuedAt reads it
		}
	}
	if op.IssuedAt == 0 {
		issuedAt, ok := IssuedAt(op.Id)
		if !ok {
			return invalidf("issued_at", "0, and the id %q carries no time: set the time at which the id was made, the same in every retry, or use ids made by NewID", op.Id)
		}
		op.IssuedAt = issuedAt
	}
	return nil
}

// checkGroups bounds the atomic groups; a group must end within the call, or it would reach into another caller's.
func checkGroups(ops []*ballastv1.Operation) error {
	length := 1
	for i, op := range ops {
		if !op.GetLinked() {
			length = 1
			continue
		}
		length++
		if i == len(ops)-1 {
			return invalidf("linked", "true on the last operation, expected the rest of its group in the same call")
		}
		if length > maxGroup {
			return invalidf("linked", "a group of more than %d operations", maxGroup)
		}
	}
	return nil
}

// checkDistinct requires the ids of one call to differ.
func checkDistinct(ops []*ballastv1.Operation) error {
	differ, ids := true, moneywire.NewIDSet(len(ops))
	for _, op := range ops {
		differ = ids.AddString(op.GetId()) && differ
	}
	if differ {
		return nil
	}
	seen := make(map[string]int, len(ops))
	for i, op := range ops {
		if first, ok := seen[op.GetId()]; ok {
			return invalidf("id", "%q in operations %d and %d, expected different ids within one call", op.GetId(), first, i)
		}
		seen[op.GetId()] = i
	}
	return nil
}

// validate checks the fields of one operation.
func validate(op *ballastv1.Operation) error {
	if err := checkText("id", op.GetId(), maxIDBytes); err != nil {
		return err
	}
	if op.GetIssuedAt() <= 0 {
		return invalidf("issued_at", "%d, expected Unix nanoseconds above 0", op.GetIssuedAt())
	}
	if op.GetReference() != "" {
		if err := checkText("reference", op.GetReference(), maxReferenceBytes); err != nil {
			return err
		}
	}
	if op.GetIfVersion() != 0 && (op.GetCreateLedger() != nil || op.GetCreateAccount() != nil) {
		return invalidf("if_version", "%d, expected none: what is created has no version yet", op.GetIfVersion())
	}
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		return first(checkAccount("credit.account", kind.Credit.GetAccount()), checkAmount("credit.amount", kind.Credit.GetAmount()))
	case *ballastv1.Operation_Debit:
		return first(checkAccount("debit.account", kind.Debit.GetAccount()), checkAmount("debit.amount", kind.Debit.GetAmount()))
	case *ballastv1.Operation_Transfer:
		return validateTransfer(kind.Transfer)
	case *ballastv1.Operation_CreateLedger:
		return validateCreateLedger(kind.CreateLedger)
	case *ballastv1.Operation_CreateAccount:
		k := kind.CreateAccount
		return first(checkAccount("create_account.account", k.GetAccount()), checkLedger("create_account.ledger", k.GetLedger()),
			checkFloor("create_account.floor", k.GetFloor()), checkCeiling("create_account.ceiling", k.GetCeiling()))
	case *ballastv1.Operation_SetLimits:
		return validateSetLimits(kind.SetLimits)
	case *ballastv1.Operation_SetFrozen:
		if kind.SetFrozen.GetCreditsToo() && !kind.SetFrozen.GetFrozen() {
			return invalidf("set_frozen.credits_too", "true while thawing, expected only together with frozen")
		}
		return checkAccount("set_frozen.account", kind.SetFrozen.GetAccount())
	case *ballastv1.Operation_CloseAccount:
		return checkAccount("close_account.account", kind.CloseAccount.GetAccount())
	case *ballastv1.Operation_SetVelocity:
		return validateVelocity(kind.SetVelocity)
	case *ballastv1.Operation_SetLowBalance:
		return first(checkAccount("set_low_balance.account", kind.SetLowBalance.GetAccount()),
			checkThreshold("set_low_balance.threshold", kind.SetLowBalance.GetThreshold()))
	case *ballastv1.Operation_TransferUpTo:
		return validateUpTo(kind.TransferUpTo)
	case *ballastv1.Operation_Reverse:
		if kind.Reverse.GetSequence() == 0 {
			return invalidf("reverse.sequence", "0, expected the sequence number of an entry")
		}
		return checkPart("reverse.amount", kind.Reverse.GetAmount())
	case *ballastv1.Operation_Hold:
		return first(checkAccount("hold.account", kind.Hold.GetAccount()), checkAmount("hold.amount", kind.Hold.GetAmount()),
			checkTimeout("hold.timeout", kind.Hold.GetTimeout()))
	case *ballastv1.Operation_CaptureHold:
		return validateCapture(kind.CaptureHold)
	case *ballastv1.Operation_VoidHold:
		return checkText("void_hold.hold", kind.VoidHold.GetHold(), maxIDBytes)
	case *ballastv1.Operation_ExtendHold:
		return first(checkText("extend_hold.hold", kind.ExtendHold.GetHold(), maxIDBytes),
			checkTimeout("extend_hold.timeout", kind.ExtendHold.GetTimeout()))
	case *ballastv1.Operation_SetTopUpPolicy:
		return validateTopUpPolicy(kind.SetTopUpPolicy)
	case *ballastv1.Operation_LeaseTopUp:
		return first(checkText("lease_top_up.top_up", kind.LeaseTopUp.GetTopUp(), maxIDBytes),
			checkSpan("lease_top_up.timeout", kind.LeaseTopUp.GetTimeout(), minLease, maxLease))
	case *ballastv1.Operation_SettleTopUp:
		return validateSettlement(kind.SettleTopUp)
	}
	return invalidf("kind", "not set, expected what to do")
}

func validateTransfer(k *ballastv1.Transfer) error {
	if k.GetDebitAccount() == k.GetCreditAccount() {
		return invalidf("transfer.credit_account", "%q is the debit account too, expected another one", k.GetCreditAccount())
	}
	return first(checkAccount("transfer.debit_account", k.GetDebitAccount()),
		checkAccount("transfer.credit_account", k.GetCreditAccount()), checkAmount("transfer.amount", k.GetAmount()))
}

func validateCreateLedger(k *ballastv1.CreateLedger) error {
	if k.GetScale() > maxScale {
		return invalidf("create_ledger.scale", "%d, expected 0 to %d", k.GetScale(), maxScale)
	}
	notASCII := func(r rune) bool { return r < ' ' || r > '~' }
	return first(checkLedger("create_ledger.name", k.GetName()), checkRunes("create_ledger.asset", k.GetAsset(), maxAssetBytes, notASCII))
}

func validateSetLimits(k *ballastv1.SetLimits) error {
	if k.Floor == nil && k.Ceiling == nil && !k.GetNoCeiling() {
		return invalidf("set_limits", "no limit given, expected a floor, a ceiling or no_ceiling")
	}
	if k.GetNoCeiling() && k.Ceiling != nil {
		return invalidf("set_limits.no_ceiling", "together with a ceiling, expected one of them")
	}
	return first(checkAccount("set_limits.account", k.GetAccount()), checkFloor("set_limits.floor", k.GetFloor()),
		checkCeiling("set_limits.ceiling", k.GetCeiling()))
}

func validateVelocity(k *ballastv1.SetVelocity) error {
	if n := len(k.GetCaps()); n > maxCaps {
		return invalidf("set_velocity.caps", "%d, expected at most %d", n, maxCaps)
	}
	seen := int64(0)
	for _, c := range k.GetCaps() {
		if w := c.GetWindow(); w < minCapWindow || w > maxCapWindow || w == seen {
			return invalidf("set_velocity.caps", "a window of %s, expected different ones of %s to %s",
				time.Duration(w), time.Duration(minCapWindow), time.Duration(maxCapWindow))
		}
		if c.GetLimit() < 0 {
			return invalidf("set_velocity.caps", "a limit of %d, expected at least 0", c.GetLimit())
		}
		seen = c.GetWindow()
	}
	return checkAccount("set_velocity.account", k.GetAccount())
}

func validateUpTo(k *ballastv1.TransferUpTo) error {
	if k.GetCreditAccount() != "" {
		if k.GetDebitAccount() == k.GetCreditAccount() {
			return invalidf("transfer_up_to.credit_account", "%q is the debit account too, expected another one", k.GetCreditAccount())
		}
		if err := checkAccount("transfer_up_to.credit_account", k.GetCreditAccount()); err != nil {
			return err
		}
	}
	return first(checkAccount("transfer_up_to.debit_account", k.GetDebitAccount()), checkAmount("transfer_up_to.amount", k.GetAmount()))
}

// checkPart checks an amount that may be left out.
func checkThreshold(field string, units int64) error {
	if units < 0 {
		return invalidf(field, "%d, expected 1 or more minor units, or 0 for none", units)
	}
	return nil
}

func checkPart(field string, amount int64) error {
	if amount < 0 {
		return invalidf(field, "%d, expected 1 or more minor units, or 0 for all of it", amount)
	}
	return nil
}

func validateCapture(k *ballastv1.CaptureHold) error {
	if err := checkPart("capture_hold.amount", k.GetAmount()); err != nil {
		return err
	}
	if k.GetCreditAccount() != "" {
		if err := checkAccount("capture_hold.credit_account", k.GetCreditAccount()); err != nil {
			return err
		}
	}
	return checkText("capture_hold.hold", k.GetHold(), maxIDBytes)
}

func checkTimeout(field string, timeout int64) error {
	if timeout <= 0 || timeout > maxHoldTimeout {
		return invalidf(field, "%s, expected more than 0 and at most %s", time.Duration(timeout), time.Duration(maxHoldTimeout))
	}
	return nil
}

func checkAccount(field, id string) error {
	if len(id) > 0 && id[0] == '@' {
		return invalidf(field, "%q begins with '@', which is reserved for system accounts", id)
	}
	return checkText(field, id, maxAccountBytes)
}

func checkLedger(field, name string) error {
	return checkRunes(field, name, maxLedgerBytes, func(r rune) bool {
		lower, digit := r >= 'a' && r <= 'z', r >= '0' && r <= '9'
		return !lower && !digit && r != '-' && r != '_' && r != '.'
	})
}

// checkText requires 1 to limit bytes of UTF-8 without control characters.
func checkText(field, text string, limit int) error {
	if len(text) > 0 && len(text) <= limit && isPrintable(text) {
		return nil
	}
	return checkRunes(field, text, limit, unicode.IsControl)
}

// isPrintable reports whether a text is nothing but printable ASCII, as most are.
func isPrintable(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

// checkRunes requires 1 to limit bytes of UTF-8 without characters that are wrong.
func checkRunes(field, text string, limit int, wrong func(rune) bool) error {
	if len(text) == 0 || len(text) > limit {
		return invalidf(field, "%d bytes, expected 1 to %d", len(text), limit)
	}
	if !utf8.ValidString(text) {
		return invalidf(field, "not valid UTF-8")
	}
	for _, r := range text {
		if wrong(r) {
			return invalidf(field, "%q has %q in it, which is not allowed there", text, r)
		}
	}
	return nil
}

func checkAmount(field string, amount int64) error {
	if amount <= 0 {
		return invalidf(field, "%d, expected 1 or more minor units", amount)
	}
	return nil
}

func checkFloor(field string, floor int64) error {
	if floor > 0 {
		return invalidf(field, "%d, expected at most 0", floor)
	}
	return nil
}

func checkCeiling(field string, ceiling int64) error {
	if ceiling < 0 {
		return invalidf(field, "%d, expected at least 0", ceiling)
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
