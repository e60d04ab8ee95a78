package client

import (
	"errors"
	"testing"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// A refusal is the error that the reads of the same thing answer with, where there is one.
func TestRefusalsAreFoundByTheirReason(t *testing.T) {
	for code, want := range map[ballastv1.ResultCode]error{
		ballastv1.ResultCode_RESULT_CODE_UNKNOWN_ACCOUNT: ErrUnknownAccount,
		ballastv1.ResultCode_RESULT_CODE_UNKNOWN_HOLD:    ErrUnknownHold,
		ballastv1.ResultCode_RESULT_CODE_UNKNOWN_TOP_UP:  ErrUnknownTopUp,
	} {
		err := AsRefusal(NewVoidHold("h"), &ballastv1.Result{Code: code})
		for _, e := range []error{ErrUnknownAccount, ErrUnknownHold, ErrUnknownTopUp} {
			if errors.Is(err, e) != (e == want) || !errors.Is(err, ErrRefused) {
				t.Errorf("%v: is %v: %v", err, e, errors.Is(err, e))
			}
		}
	}
}
