package main

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
)

// People are told what happened, not how gRPC names it.
func TestErrorsInWords(t *testing.T) {
	for _, c := range []struct {
		code          codes.Code
		message, want string
	}{
		{
			codes.Unavailable,
			`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:7401: connect: connection refused"`,
			"a:1: cannot connect: dial tcp 127.0.0.1:7401: connect: connection refused",
		},
		{codes.Unimplemented, "unknown service ballast.v1.MoneyService", "a:1: " + noSuchService},
		{codes.FailedPrecondition, "not the leader", "a:1: not the leader"},
		{codes.DeadlineExceeded, "context deadline exceeded", "a:1: no answer in time"},
		{codes.Internal, "broken", "a:1: internal error: broken"},
		{codes.Aborted, "", "a:1: Aborted"},
	} {
		err := &client.NotDoneError{Cause: &client.StatusError{Endpoint: "a:1", Code: c.code, Message: c.message}}
		if got := inWords(err); got != "not done: "+c.want {
			t.Errorf("%v %q: %q, want %q", c.code, c.message, got, c.want)
		}
	}
	err := fmt.Errorf("%w: %w", context.DeadlineExceeded, &client.StatusError{Endpoint: "a:1", Code: codes.Unavailable, Message: "no leader"})
	if got := inWords(err); got != "no answer in time: a:1: no leader" {
		t.Errorf("%q", got)
	}
}

func TestNobodyListensInWords(t *testing.T) {
	s := &session{t: t, endpoint: "127.0.0.1:1"}
	for _, args := range [][]string{{"credit", "alice", "5", "--timeout", "300ms"}, {"status", "--timeout", "300ms", "-o", "json"}} {
		r := s.run(args...)
		text := r.out + r.err
		if r.code != exitUnavailable || strings.Contains(text, "desc =") || strings.Contains(text, "transport:") || strings.Contains(text, "rpc error") {
			t.Errorf("%q: %+v", args, r)
		}
	}
}
