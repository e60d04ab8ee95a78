package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/config"
)

// streamsEnd is how long calls that are being answered may go on when the server stops. Streams end only when their
// callers end them, so it must not be long.
const streamsEnd = 500 * time.Millisecond

// listeners are bound before anything runs: an address in use is found out at once.
type listeners struct{ client, member, operator net.Listener }

func listen(c config.Config, logger hclog.Logger) (*listeners, error) {
	l := &listeners{}
	for _, each := range []struct {
		to      *net.Listener
		key     string
		address string
		most    int
	}{
		{&l.client, "client_address", c.ClientAddress, callerConnections},
		{&l.member, "member_address", c.MemberAddress, memberConnections},
		{&l.operator, "operator_address", c.OperatorAddress, callerConnections},
	} {
		listener, err := net.Listen("tcp", each.address)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s = %s: %w; stop the process that has it, or configure another address",
				each.key, each.address, err), l.close())
		}
		*each.to = &limited{Listener: listener, most: each.most, logger: logger.With("address", each.address)}
	}
	return l, nil
}

// close closes what is open; a listener that its gRPC server has closed already is not an error.
func (l *listeners) close() error {
	var errs []error
	for _, listener := range []net.Listener{l.client, l.member, l.operator} {
		if listener == nil {
			continue
		}
		if err := listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// serve serves on a listener until the function that it returns is called with the way to stop, and waits for the end.
// What goes wrong is sent to failed, which must have room.
func serve(s *grpc.Server, on net.Listener, failed chan<- error) (stop func(way func())) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Serve(on); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			failed <- fmt.Errorf("serve %s: %w", on.Addr(), err)
		}
	}()
	return func(way func()) {
		way()
		<-done
	}
}

// stopCalls lets calls that are being answered end, for a while, and then ends them: streams last as long as their
// callers like.
func stopCalls(s *grpc.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), streamsEnd)
	defer cancel()
	if bounded(ctx, func() error { s.GracefulStop(); return nil }) != nil {
		s.Stop()
	}
}
