package grpctext

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestOf(t *testing.T) {
	const refused = `connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.1:7411: connect: connection refused"`
	down := status.Error(codes.Unavailable, refused)
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"a connection":      {down, "cannot connect: dial tcp 10.0.0.1:7411: connect: connection refused"},
		"a wrapped one":     {fmt.Errorf("probe: %w", down), "probe: cannot connect: dial tcp 10.0.0.1:7411: connect: connection refused"},
		"a joined one":      {errors.Join(down, nil), "cannot connect: dial tcp 10.0.0.1:7411: connect: connection refused"},
		"nothing of gRPC's": {errors.New("no such file"), "no such file"},
		"the member's own":  {status.Error(codes.FailedPrecondition, "cluster: expected a, found b"), "cluster: expected a, found b"},
	} {
		if got := Of(c.err); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
