package importer

import (
	"fmt"
	"strings"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"

	"github.com/ballastdb/ballast/client/amount"
)

// Report says what became of a file's rows.
type Report struct {
	File   string `json:"file"`
	Ledger string `json:"ledger"`
	// IssuedAt is the stamp of all operations of the file; zero where bad rows kept it from being made.
	IssuedAt time.Time `json:"issued_at,omitzero"`
	// Rows of the file, without the header.
	Rows int64 `json:"rows"`
	// Applied took effect in this run, AlreadyApplied in an earlier one.
	Applied        int64 `json:"applied"`
	AlreadyApplied int64 `json:"already_applied"`
	// Refused rows changed nothing; RefusedReasons counts them by result code.
	Refused        int64            `json:"refused"`
	RefusedReasons map[string]int64 `json:"refused_reasons"`
	// Differing rows took effect and left another balance than the file expected.
	Differing int64 `json:"differing"`
	// Skipped rows cannot be imported and were not sent.
	Skipped int64 `json:"skipped"`
	// Unknown rows were sent and not answered; NotSent ones were left when the run ended.
	Unknown         int64   `json:"unknown"`
	NotSent         int64   `json:"not_sent"`
	AccountsCreated int64   `json:"accounts_created"`
	Seconds         float64 `json:"seconds"`

	// The first 1,000 of each kind.
	RefusedRows   []RefusedRow   `json:"refused_rows"`
	DifferingRows []DifferingRow `json:"differing_rows"`
	// SkippedRows has of an account that cannot be used the first row alone.
	SkippedRows []BadRow `json:"skipped_rows"`
}

// RefusedRow is a row that the store refused. Amounts are decimals of the ledger.
type RefusedRow struct {
	Line    int    `json:"line"`
	ID      string `json:"id"`
	Account string `json:"account"`
	Kind    string `json:"kind"`
	Amount  string `json:"amount"`
	// Reason is the result code, Detail says it in words.
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

// DifferingRow is a row after which the balance was not the expected one.
type DifferingRow struct {
	Line       int    `json:"line"`
	ID         string `json:"id"`
	Account    string `json:"account"`
	Expected   string `json:"expected"`
	Balance    string `json:"balance"`
	Difference string `json:"difference"`
}

// Clean tells whether every row took effect with the balance that the file expected.
func (r *Report) Clean() bool {
	return r.Refused == 0 && r.Differing == 0 && r.Unknown == 0 && r.NotSent == 0
}

func newReport(r *run) *Report {
	report := &Report{
		File: r.File, Ledger: r.Ledger, Rows: r.plan.rows + int64(r.plan.badCount),
		Skipped: int64(r.plan.badCount), SkippedRows: append([]BadRow{}, r.plan.bad...),
		RefusedReasons: map[string]int64{}, RefusedRows: []RefusedRow{}, DifferingRows: []DifferingRow{},
	}
	if r.issuedAt != 0 {
		report.IssuedAt = time.Unix(0, r.issuedAt).UTC()
	}
	return report
}

func (r *Report) finish(took time.Duration) {
	r.Seconds = took.Seconds()
	r.NotSent = r.Rows - r.Skipped - r.Applied - r.AlreadyApplied - r.Refused - r.Unknown
}

// record counts the answers to a batch.
func (r *run) record(batch []row, results []*ballastv1.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, result := range results {
		next := &batch[i]
		if result.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
			r.recordRefusal(next, result)
			continue
		}
		// An answer given again may belong to this run: its first copy was lost. What took effect since the run began
		// lies behind the newest entry that the account had then.
		if result.GetReplayed() && result.GetSequence() <= r.plan.accounts[next.account].lastSequence {
			r.report.AlreadyApplied++
		} else {
			r.report.Applied++
		}
		r.compare(next, result)
	}
}

func (r *run) compare(next *row, result *ballastv1.Result) {
	if !next.hasExpect {
		return
	}
	posted := result.GetDebitPosted()
	if next.credit {
		posted = result.GetCreditPosted()
	}
	off := uint64(posted) - uint64(next.expect)
	if posted < next.expect {
		off = -off
	}
	if off <= uint64(r.tolerance) {
		return
	}
	r.report.Differing++
	if len(r.report.DifferingRows) < maxListed {
		r.report.DifferingRows = append(r.report.DifferingRows, DifferingRow{
			Line: next.line, ID: next.id, Account: next.account,
			Expected: amount.Format(next.expect, r.scale), Balance: amount.Format(posted, r.scale),
			Difference: amount.Format(posted-next.expect, r.scale),
		})
	}
}

// recordEarlier counts a row that is not sent, because an import with another stamp applied it: what the store would
// call a conflict if it still remembered the id.
func (r *run) recordEarlier(next *row) {
	r.mu.Lock()
	r.countRefusal(next, reason(&ballastv1.Result{Code: ballastv1.ResultCode_RESULT_CODE_CONFLICT}),
		"an earlier import applied it, and the state file of that import ("+r.StateFile+") is missing; not sent")
	r.mu.Unlock()
	r.Progress.Add(1)
}

func (r *run) recordRefusal(next *row, result *ballastv1.Result) {
	r.countRefusal(next, reason(result), r.detail(result))
}

func (r *run) countRefusal(next *row, reason, detail string) {
	r.report.Refused++
	r.report.RefusedReasons[reason]++
	if len(r.report.RefusedRows) < maxListed {
		kind := "debit"
		if next.credit {
			kind = "credit"
		}
		r.report.RefusedRows = append(r.report.RefusedRows, RefusedRow{
			Line: next.line, ID: next.id, Account: next.account, Kind: kind,
			Amount: amount.Format(next.units, r.scale), Reason: reason, Detail: detail,
		})
	}
}

// reason is a result code as reports name it.
func reason(result *ballastv1.Result) string {
	return strings.ToLower(strings.TrimPrefix(result.GetCode().String(), "RESULT_CODE_"))
}

func (r *run) detail(result *ballastv1.Result) string {
	switch code := result.GetCode(); code {
	case ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS:
		return fmt.Sprintf("asked %s, available %s", amount.Format(result.GetAsked(), r.scale), amount.Format(result.GetAvailable(), r.scale))
	case ballastv1.ResultCode_RESULT_CODE_CEILING_EXCEEDED:
		return fmt.Sprintf("asked %s, room below the ceiling %s", amount.Format(result.GetAsked(), r.scale), amount.Format(result.GetAvailable(), r.scale))
	default:
		return strings.TrimPrefix(r.advice(code), "; ")
	}
}

// advice says what a refusal means in an import, where that is not plain.
func (r *run) advice(code ballastv1.ResultCode) string {
	switch code {
	case ballastv1.ResultCode_RESULT_CODE_CONFLICT:
		return "; the id is known with another payload: the row changed, or the state file of its first import (" + r.StateFile + ") was lost"
	case ballastv1.ResultCode_RESULT_CODE_SUPERSEDED:
		return "; a higher attempt of this id is known: give that one with --attempt"
	case ballastv1.ResultCode_RESULT_CODE_TOO_OLD:
		return "; the file was first imported before the id window began, so whether it took effect can no longer be told by id"
	case ballastv1.ResultCode_RESULT_CODE_TOO_EARLY:
		return "; this machine's clock is ahead of the cluster's"
	default:
		return ""
	}
}
