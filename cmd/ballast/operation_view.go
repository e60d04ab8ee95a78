package main

import (
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// operationView is what became of an operation, in JSON. Fields that an operation has no use for are left out.
type operationView struct {
	Operation string `json:"operation"`
	Attempt   uint32 `json:"attempt"`
	IssuedAt  string `json:"issued_at"`
	// Result is "applied" or the reason of the refusal, Refusal that reason in a sentence.
	Result  string `json:"result"`
	Refusal string `json:"refusal,omitempty"`
	// Replayed: this is the first answer given again.
	Replayed bool   `json:"replayed"`
	Sequence uint64 `json:"sequence,omitempty"`
	Ledger   string `json:"ledger,omitempty"`

	Account           string `json:"account,omitempty"`
	Hold              string `json:"hold,omitempty"`
	Reversed          uint64 `json:"reversed,omitempty"`
	TopUp             string `json:"top_up,omitempty"`
	DebitAccount      string `json:"debit_account,omitempty"`
	CreditAccount     string `json:"credit_account,omitempty"`
	Amount            string `json:"amount,omitempty"`
	AmountUnits       string `json:"amount_units,omitempty"`
	Posted            string `json:"posted,omitempty"`
	PostedUnits       string `json:"posted_units,omitempty"`
	DebitPosted       string `json:"debit_posted,omitempty"`
	DebitPostedUnits  string `json:"debit_posted_units,omitempty"`
	CreditPosted      string `json:"credit_posted,omitempty"`
	CreditPostedUnits string `json:"credit_posted_units,omitempty"`
	Asked             string `json:"asked,omitempty"`
	AskedUnits        string `json:"asked_units,omitempty"`
	Available         string `json:"available,omitempty"`
	AvailableUnits    string `json:"available_units,omitempty"`
}

func viewOf(op *ballastv1.Operation, result *ballastv1.Result, d denomination) *operationView {
	v := &operationView{
		Operation: op.GetId(), Attempt: op.GetAttempt(), IssuedAt: timetext.Format(op.GetIssuedAt()),
		Result: resultName(result.GetCode()), Replayed: result.GetReplayed(), Sequence: result.GetSequence(), Ledger: d.ledger,
	}
	show := func(units int64, text, digits *string) {
		*text, *digits = d.format(units), strconv.FormatInt(units, 10)
	}
	applied := result.GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED
	money := false
	switch kind := op.GetKind().(type) {
	case *ballastv1.Operation_Credit:
		v.Account, money = kind.Credit.GetAccount(), true
		show(kind.Credit.GetAmount(), &v.Amount, &v.AmountUnits)
		if applied {
			show(result.GetCreditPosted(), &v.Posted, &v.PostedUnits)
		}
	case *ballastv1.Operation_Debit:
		v.Account, money = kind.Debit.GetAccount(), true
		show(kind.Debit.GetAmount(), &v.Amount, &v.AmountUnits)
		if applied {
			show(result.GetDebitPosted(), &v.Posted, &v.PostedUnits)
		}
	case *ballastv1.Operation_Transfer:
		v.DebitAccount, v.CreditAccount, money = kind.Transfer.GetDebitAccount(), kind.Transfer.GetCreditAccount(), true
		show(kind.Transfer.GetAmount(), &v.Amount, &v.AmountUnits)
		if applied {
			show(result.GetDebitPosted(), &v.DebitPosted, &v.DebitPostedUnits)
			show(result.GetCreditPosted(), &v.CreditPosted, &v.CreditPostedUnits)
		}
	default:
		v.Account, v.Hold = subject(op), holdOf(op)
		v.Reversed = op.GetReverse().GetSequence()
		v.TopUp = topUpOf(op)
		if money = v.TopUp != ""; money && applied {
			show(result.GetAmount(), &v.Amount, &v.AmountUnits)
			break
		}
		if money = v.Hold != "" || v.Reversed != 0 || op.GetTransferUpTo() != nil; money && applied {
			show(result.GetAmount(), &v.Amount, &v.AmountUnits)
			show(result.GetDebitPosted(), &v.Posted, &v.PostedUnits)
		}
	}
	if comparesAmounts(result.GetCode()) {
		show(result.GetAsked(), &v.Asked, &v.AskedUnits)
	}
	if money && applied || comparesAmounts(result.GetCode()) {
		show(result.GetAvailable(), &v.Available, &v.AvailableUnits)
	}
	return v
}

func comparesAmounts(code ballastv1.ResultCode) bool {
	return code == ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS || code == ballastv1.ResultCode_RESULT_CODE_CEILING_EXCEEDED ||
		code == ballastv1.ResultCode_RESULT_CODE_EXCEEDS_HOLD || code == ballastv1.ResultCode_RESULT_CODE_EXCEEDS_ENTRY ||
		code == ballastv1.ResultCode_RESULT_CODE_VELOCITY_EXCEEDED
}

// resultName is a result code as outputs name it.
func resultName(code ballastv1.ResultCode) string {
	return strings.ToLower(strings.TrimPrefix(code.String(), "RESULT_CODE_"))
}

// grid shows an operation that took effect.
func (v *operationView) grid(op *ballastv1.Operation) *render.Grid {
	result := v.Result
	if v.Replayed {
		result = "applied before"
	}
	g := &render.Grid{Columns: []render.Column{{Name: "operation"}, {Name: "result"}, {Name: "sequence", Right: true}}}
	cells := []string{v.Operation, result, strconv.FormatUint(v.Sequence, 10)}
	add := func(name, cell string, right bool) {
		g.Columns = append(g.Columns, render.Column{Name: name, Right: right})
		cells = append(cells, cell)
	}
	switch op.GetKind().(type) {
	case *ballastv1.Operation_CreateLedger:
		add("ledger", v.Ledger, false)
	case *ballastv1.Operation_Transfer:
		add("amount", v.Amount, true)
		add("debit_account", v.DebitAccount, false)
		add("debit_posted", v.DebitPosted, true)
		add("credit_account", v.CreditAccount, false)
		add("credit_posted", v.CreditPosted, true)
		add("available", v.Available, true)
	case *ballastv1.Operation_Reverse:
		add("reversed", strconv.FormatUint(v.Reversed, 10), true)
		add("amount", v.Amount, true)
		add("available", v.Available, true)
	case *ballastv1.Operation_Credit, *ballastv1.Operation_Debit, *ballastv1.Operation_TransferUpTo:
		add("account", v.Account, false)
		add("amount", v.Amount, true)
		add("posted", v.Posted, true)
		add("available", v.Available, true)
	case *ballastv1.Operation_Hold:
		add("account", v.Account, false)
		add("held", v.Amount, true)
		add("available", v.Available, true)
	case *ballastv1.Operation_CaptureHold, *ballastv1.Operation_VoidHold, *ballastv1.Operation_ExtendHold:
		add("hold", v.Hold, false)
		add("amount", v.Amount, true)
		add("posted", v.Posted, true)
		add("available", v.Available, true)
	case *ballastv1.Operation_LeaseTopUp, *ballastv1.Operation_SettleTopUp:
		add("top_up", v.TopUp, false)
		add("amount", v.Amount, true)
		add("available", v.Available, true)
	default:
		add("account", v.Account, false)
	}
	// People need the stamp where a retry has to repeat it; programs find it always in the same column.
	g.Columns = append(g.Columns, render.Column{Name: "issued_at", Wide: carriesStamp(op)})
	g.Add(append(cells, v.IssuedAt)...)
	return g
}
