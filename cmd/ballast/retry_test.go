package main

import (
	"regexp"
	"strings"
	"testing"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// An id of the caller's own can be retried after success too: the table shows the stamp that the retry repeats.
func TestStampOfOwnIDIsShown(t *testing.T) {
	f, s := start(t)
	f.open("alice", 0, 0)
	table := s.must("credit", "alice", "5", "--id", "invoice-17")
	shown := regexp.MustCompile(`ISSUED AT\n.* (\S+)\n$`).FindStringSubmatch(table)
	if shown == nil {
		t.Fatalf("%s", table)
	}
	s.must("credit", "alice", "5", "--id", "invoice-17", "--issued-at", shown[1])
	if first, again := f.sent[0], f.sent[1]; first.String() != again.String() {
		t.Errorf("sent %v, then %v", first, again)
	}
	if table := s.must("credit", "alice", "5"); strings.Contains(table, "ISSUED AT") {
		t.Errorf("an id that carries its time:\n%s", table)
	}
}

// Another attempt is proposed only where docs/results.md says that one can be of use.
func TestWayOnAfterRefusals(t *testing.T) {
	op := &ballastv1.Operation{Id: "invoice 17", Attempt: 1, IssuedAt: fakeTime}
	of := func(code ballastv1.ResultCode) string { return wayOn(op, &ballastv1.Result{Code: code}) }
	for _, code := range []ballastv1.ResultCode{
		ballastv1.ResultCode_RESULT_CODE_INVALID, ballastv1.ResultCode_RESULT_CODE_CONFLICT, ballastv1.ResultCode_RESULT_CODE_SUPERSEDED,
		ballastv1.ResultCode_RESULT_CODE_TOO_OLD, ballastv1.ResultCode_RESULT_CODE_LEDGER_EXISTS, ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS,
		ballastv1.ResultCode_RESULT_CODE_LEDGER_MISMATCH, ballastv1.ResultCode_RESULT_CODE_ACCOUNT_CLOSED, ballastv1.ResultCode_RESULT_CODE_LIMIT_REACHED,
		ballastv1.ResultCode_RESULT_CODE_HOLD_CAPTURED, ballastv1.ResultCode_RESULT_CODE_HOLD_EXPIRED, ballastv1.ResultCode_RESULT_CODE_HOLD_EXISTS,
	} {
		if text := of(code); strings.Contains(text, "--attempt") {
			t.Errorf("%v: %s", code, text)
		}
	}
	if text := of(ballastv1.ResultCode_RESULT_CODE_INSUFFICIENT_FUNDS); !strings.Contains(text, "--id 'invoice 17' --issued-at 2023-11-14T22:13:20Z --attempt 2") {
		t.Error(text)
	}
	text := of(ballastv1.ResultCode_RESULT_CODE_CONFLICT)
	if strings.Contains(text, "final") || !strings.Contains(text, "may have been applied: ballast operation get 'invoice 17'") || !strings.Contains(text, "--issued-at too") {
		t.Error(text)
	}
}
