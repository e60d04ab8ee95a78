package client

import (
	"testing"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// What a member says of a request's outcome goes before what the code means by itself.
func TestSaidOutcomeGoesBeforeTheCode(t *testing.T) {
	of := func(o ballastv1.Outcome) *ballastv1.Failure { return &ballastv1.Failure{Outcome: o} }
	for _, c := range []struct {
		code   codes.Code
		detail *ballastv1.Failure
		maybe  bool
	}{
		{codes.InvalidArgument, of(ballastv1.Outcome_OUTCOME_UNKNOWN), true},
		{codes.InvalidArgument, of(ballastv1.Outcome_OUTCOME_UNSPECIFIED), true},
		{codes.InvalidArgument, of(ballastv1.Outcome_OUTCOME_NOT_DONE), false},
		{codes.InvalidArgument, nil, false},
		{codes.Unavailable, of(ballastv1.Outcome_OUTCOME_NOT_DONE), false},
		{codes.Unavailable, nil, true},
	} {
		f := failureOfStream("m", &ballastv1.StreamFailure{Code: int32(c.code), Failure: c.detail}, false)
		if f.maybe != c.maybe {
			t.Errorf("%v with %v: maybe done is %v, want %v", c.code, c.detail, f.maybe, c.maybe)
		}
	}
}
