package transport

import "context"

// received is one message of a stream, or the error that ended it.
type received[M any] struct {
	message *M
	err     error
}

// incoming is a stream of messages.
type incoming[M any] interface {
	Recv() (*M, error)
	Context() context.Context
}

// receive reads a stream on a goroutine of its own, so that its handler can wait for other things too, and the next
// message is decoded while raft works on one. The goroutine ends with the handler, as gRPC then ends the stream's
// context; Close waits for it. Called by a handler that has entered.
func receive[M any](t *Transport, stream incoming[M]) <-chan received[M] {
	messages := make(chan received[M])
	t.running.Go(func() {
		for {
			m, err := stream.Recv()
			select {
			case messages <- received[M]{m, err}:
			case <-stream.Context().Done():
				return
			}
			if err != nil {
				return
			}
		}
	})
	return messages
}
