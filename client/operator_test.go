package client_test

import (
	"errors"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// A change that may have been done is not tried again, and the call after it does not go to the same dead member for ever; one
// that is harmless to repeat goes on to the next by itself. The member that is alive answers that it serves no operators.
func TestChangesLeaveADeadMember(t *testing.T) {
	_, _, members := startTest(t, 1, 1)
	gone, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Close(); err != nil {
		t.Fatal(err)
	}
	open := func() *client.Operator {
		c, err := client.New([]string{gone.Addr().String(), members[0].address})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c.Operator()
	}
	want := func(err error, code codes.Code) {
		t.Helper()
		var s *client.StatusError
		if !errors.As(err, &s) || s.Code != code {
			t.Fatalf("got %v, want %v", err, code)
		}
	}
	o := open()
	_, err = o.SetSettings(within(t, time.Minute), &ballastv1.Settings{})
	want(err, codes.Unavailable)
	_, err = o.SetSettings(within(t, time.Minute), &ballastv1.Settings{})
	want(err, codes.Unimplemented)
	_, _, err = open().RaiseClusterVersion(within(t, time.Minute), 0)
	want(err, codes.Unimplemented)
}
