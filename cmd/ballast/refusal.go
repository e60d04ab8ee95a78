package main

import (
	"fmt"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// refusalText says why an operation was refused: which account, what was asked, what was available.
func refusalText(op *ballastv1.Operation, result *ballastv1.Result, d denomination) string {
	account := result.GetAccount()
	if account == "" {
		account = subject(op)
	}
	asked, available := d.format(result.GetAsked()), d.format(result.GetAvailable())
	switch code := result.GetCode(); code {
	case ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS:
		if limits := op.GetSetLimits(); limits != nil {
			return fmt.Sprintf("account %q: insufficient funds: its balance less what is held is %s, below the floor asked for, %s",
				account, available, d.format(limits.GetFloor()))
		}
		return fmt.Sprintf("account %q: insufficient funds: asked %s, available %s (ledger %s)", account, asked, available, d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_CEILING_EXCEEDED:
		if limits := op.GetSetLimits(); limits != nil {
			return fmt.Sprintf("account %q: its balance is above the ceiling asked for, %s", account, d.format(limits.GetCeiling()))
		}
		return fmt.Sprintf("account %q: ceiling exceeded: asked %s, room below the ceiling %s (ledger %s)", account, asked, available, d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT:
		return fmt.Sprintf("there is no account %q", account)
	case ballastv1.ResultCode_RESULT_CODE_UNKNOWN_LEDGER:
		return fmt.Sprintf("there is no ledger %q", d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS:
		return fmt.Sprintf("there is a ledger %q already", d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS:
		return fmt.Sprintf("there is an account %q already", account)
	case ballastv1.ResultCode_RESULT_CODE_LEDGER_MISMATCH:
		return fmt.Sprintf("accounts %q and %q belong to different ledgers", op.GetTransfer().GetDebitAccount(), op.GetTransfer().GetCreditAccount())
	case ballastv1.ResultCode_RESULT_CODE_ACCOUNT_CLOSED:
		return fmt.Sprintf("account %q is closed", account)
	case ballastv1.ResultCode_RESULT_CODE_ACCOUNT_FROZEN:
		return fmt.Sprintf("account %q is frozen", account)
	case ballastv1.ResultCode_RESULT_CODE_OVERFLOW:
		return fmt.Sprintf("account %q: its balance would leave the range of 64 bits", account)
	case ballastv1.ResultCode_RESULT_CODE_NOT_EMPTY:
		return fmt.Sprintf("account %q still has money posted or held", account)
	case ballastv1.ResultCode_RESULT_CODE_UNKNOWN_HOLD:
		return fmt.Sprintf("no hold %q is remembered", holdOf(op))
	case ballastv1.ResultCode_RESULT_CODE_HOLD_EXISTS:
		return fmt.Sprintf("there is a hold %q already", op.GetId())
	case ballastv1.ResultCode_RESULT_CODE_HOLD_CAPTURED, ballastv1.ResultCode_RESULT_CODE_HOLD_VOIDED, ballastv1.ResultCode_RESULT_CODE_HOLD_EXPIRED:
		return fmt.Sprintf("hold %q has ended: it was %s", holdOf(op), map[ballastv1.ResultCode]string{
			ballastv1.ResultCode_RESULT_CODE_HOLD_CAPTURED: "captured", ballastv1.ResultCode_RESULT_CODE_HOLD_VOIDED: "voided",
			ballastv1.ResultCode_RESULT_CODE_HOLD_EXPIRED: "left to expire",
		}[code])
	case ballastv1.ResultCode_RESULT_CODE_EXCEEDS_HOLD:
		return fmt.Sprintf("hold %q holds less: asked %s, held %s (ledger %s)", holdOf(op), asked, available, d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_SAME_ACCOUNT:
		return fmt.Sprintf("account %q is the one that is debited", account)
	case ballastv1.ResultCode_RESULT_CODE_VERSION_MISMATCH:
		return fmt.Sprintf("account %q has changed: its version is %d, not %d", account, result.GetVersion(), op.GetIfVersion())
	case ballastv1.ResultCode_RESULT_CODE_VELOCITY_EXCEEDED:
		return fmt.Sprintf("account %q: its caps leave less for now: asked %s, room %s (ledger %s)", account, asked, available, d.ledger)
	case ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ENTRY:
		return fmt.Sprintf("there is no entry %d", op.GetReverse().GetSequence())
	case ballastv1.ResultCode_RESULT_CODE_NOT_REVERSIBLE:
		return fmt.Sprintf("entry %d moved nothing that can be moved back", op.GetReverse().GetSequence())
	case ballastv1.ResultCode_RESULT_CODE_ALREADY_REVERSED:
		return fmt.Sprintf("entry %d was reversed before", op.GetReverse().GetSequence())
	case ballastv1.ResultCode_RESULT_CODE_EXCEEDS_ENTRY:
		return fmt.Sprintf("entry %d moved less: asked %s, moved %s (ledger %s)", op.GetReverse().GetSequence(), asked, available, d.ledger)
	default:
		return aboutID(op, code)
	}
}

// aboutID says why an operation was refused for a reason that lies not in the accounts.
func aboutID(op *ballastv1.Operation, code ballastv1.ResultCode) string {
	switch code {
	case ballastv1.ResultCode_RESULT_CODE_CONFLICT:
		return fmt.Sprintf("operation id %q is known with other content (amount, account, issued-at or another field differs)", op.GetId())
	case ballastv1.ResultCode_RESULT_CODE_SUPERSEDED:
		return fmt.Sprintf("operation id %q is known with an attempt above %d", op.GetId(), op.GetAttempt())
	case ballastv1.ResultCode_RESULT_CODE_TOO_OLD:
		return fmt.Sprintf("operation id %q was issued before the window in which ids are remembered: whether it took effect can only be seen in the statement", op.GetId())
	case ballastv1.ResultCode_RESULT_CODE_TOO_EARLY:
		return "the operation is stamped more than a minute ahead of the cluster's time: look at this machine's clock"
	case ballastv1.ResultCode_RESULT_CODE_LIMIT_REACHED:
		return "the store has reached its bound of ledgers, accounts or holds"
	case ballastv1.ResultCode_RESULT_CODE_INVALID:
		return "a field is out of its documented bounds"
	case ballastv1.ResultCode_RESULT_CODE_UNKNOWN_TOP_UP:
		return fmt.Sprintf("no top-up %q is remembered", topUpOf(op))
	case ballastv1.ResultCode_RESULT_CODE_TOP_UP_ENDED:
		return fmt.Sprintf("top-up %q has ended: ballast topup get %s tells how", topUpOf(op), shellWord(topUpOf(op)))
	case ballastv1.ResultCode_RESULT_CODE_TOP_UP_LEASED:
		return fmt.Sprintf("top-up %q is leased by somebody else", topUpOf(op))
	case ballastv1.ResultCode_RESULT_CODE_TOP_UP_OPEN:
		return fmt.Sprintf("account %q has an open top-up: a card may have been charged", subject(op))
	default:
		return resultName(code)
	}
}

// wayOn says what a person can do after a refusal, as docs/results.md does: another attempt only where it can be of use.
func wayOn(op *ballastv1.Operation, result *ballastv1.Result) string {
	final := fmt.Sprintf("operation %s, attempt %d: this answer is final", op.GetId(), op.GetAttempt())
	higher := fmt.Sprintf("%s --attempt %d", retryFlags(&ballastv1.Operation{Id: op.GetId(), IssuedAt: op.GetIssuedAt()}), op.GetAttempt()+1)
	switch result.GetCode() {
	case ballastv1.ResultCode_RESULT_CODE_CONFLICT:
		return "another operation with this id is known, and it may have been applied: ballast operation get " + shellWord(op.GetId()) +
			"\na retry repeats every field of the first try, --issued-at too; another change needs another --id"
	case ballastv1.ResultCode_RESULT_CODE_SUPERSEDED:
		return final + "; the newest attempt's answer: ballast operation get " + shellWord(op.GetId())
	case ballastv1.ResultCode_RESULT_CODE_INVALID:
		return fmt.Sprintf("operation %s: nothing is remembered of it", op.GetId())
	case ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS, ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS,
		ballastv1.ResultCode_RESULT_CODE_HOLD_EXISTS:
		return final + "; if that is the one you want, nothing is left to do"
	case ballastv1.ResultCode_RESULT_CODE_TOO_OLD, ballastv1.ResultCode_RESULT_CODE_LEDGER_MISMATCH,
		ballastv1.ResultCode_RESULT_CODE_ACCOUNT_CLOSED, ballastv1.ResultCode_RESULT_CODE_LIMIT_REACHED,
		ballastv1.ResultCode_RESULT_CODE_HOLD_CAPTURED, ballastv1.ResultCode_RESULT_CODE_HOLD_VOIDED,
		ballastv1.ResultCode_RESULT_CODE_HOLD_EXPIRED, ballastv1.ResultCode_RESULT_CODE_SAME_ACCOUNT,
		ballastv1.ResultCode_RESULT_CODE_EXCEEDS_HOLD, ballastv1.ResultCode_RESULT_CODE_VERSION_MISMATCH,
		ballastv1.ResultCode_RESULT_CODE_NOT_REVERSIBLE, ballastv1.ResultCode_RESULT_CODE_ALREADY_REVERSED,
		ballastv1.ResultCode_RESULT_CODE_EXCEEDS_ENTRY, ballastv1.ResultCode_RESULT_CODE_UNKNOWN_TOP_UP,
		ballastv1.ResultCode_RESULT_CODE_TOP_UP_ENDED:
		return final
	case ballastv1.ResultCode_RESULT_CODE_TOO_EARLY:
		return final + "; once its time has come: " + higher
	}
	return final + "; to try again on purpose: " + higher
}

// subject is the account that an operation is about; of a transfer, the debited one.
func subject(op *ballastv1.Operation) string {
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		return kind.Credit.GetAccount()
	case *ballastv1.Operation_Debit:
		return kind.Debit.GetAccount()
	case *ballastv1.Operation_Transfer:
		return kind.Transfer.GetDebitAccount()
	case *ballastv1.Operation_CreateAccount:
		return kind.CreateAccount.GetAccount()
	case *ballastv1.Operation_SetLimits:
		return kind.SetLimits.GetAccount()
	case *ballastv1.Operation_SetFrozen:
		return kind.SetFrozen.GetAccount()
	case *ballastv1.Operation_CloseAccount:
		return kind.CloseAccount.GetAccount()
	case *ballastv1.Operation_SetVelocity:
		return kind.SetVelocity.GetAccount()
	case *ballastv1.Operation_SetLowBalance:
		return kind.SetLowBalance.GetAccount()
	case *ballastv1.Operation_TransferUpTo:
		return kind.TransferUpTo.GetDebitAccount()
	case *ballastv1.Operation_Hold:
		return kind.Hold.GetAccount()
	case *ballastv1.Operation_SetTopUpPolicy:
		return kind.SetTopUpPolicy.GetAccount()
	}
	return ""
}

// topUpOf is the top-up that an operation is about.
func topUpOf(op *ballastv1.Operation) string {
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_LeaseTopUp:
		return kind.LeaseTopUp.GetTopUp()
	case *ballastv1.Operation_SettleTopUp:
		return kind.SettleTopUp.GetTopUp()
	}
	return ""
}

// holdOf is the hold that an operation is about.
func holdOf(op *ballastv1.Operation) string {
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_Hold:
		return op.GetId()
	case *ballastv1.Operation_CaptureHold:
		return kind.CaptureHold.GetHold()
	case *ballastv1.Operation_VoidHold:
		return kind.VoidHold.GetHold()
	case *ballastv1.Operation_ExtendHold:
		return kind.ExtendHold.GetHold()
	}
	return ""
}
