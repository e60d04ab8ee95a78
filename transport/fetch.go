package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/status"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// maxManifestBytes bounds a manifest that is fetched: one for some 250 GiB of state.
const maxManifestBytes = 512 << 20

// FetchManifest fetches the manifest of a member's newest snapshot, encoded. ErrNotHere: it has none. ErrUnreachable, ErrBusy:
// ask another, or later.
func (t *Transport) FetchManifest(ctx context.Context, m raft.Server) ([]byte, error) {
	p, err := t.peer(m.ID, m.Address)
	if err != nil {
		return nil, err
	}
	var manifest []byte
	size := uint64(0)
	request := &raftv1.FetchManifestRequest{Envelope: p.envelope(), Header: t.header()}
	err = fetch(ctx, p, "manifest", func(ctx context.Context) (grpc.ServerStreamingClient[raftv1.FetchManifestResponse], error) {
		return p.installs.client.FetchManifest(ctx, request)
	}, func(answer *raftv1.FetchManifestResponse) error {
		if size == 0 {
			size = answer.GetSize()
		}
		if size > maxManifestBytes || uint64(len(manifest)+len(answer.GetChunk())) > size {
			return fmt.Errorf("expected a manifest of the %d bytes announced, and of up to %d, found more", size, maxManifestBytes)
		}
		manifest = append(manifest, answer.GetChunk()...)
		return nil
	})
	if err == nil && uint64(len(manifest)) != size {
		err = p.failed("manifest", fmt.Errorf("expected %d bytes, found %d", size, len(manifest)))
	}
	return manifest, err
}

// maxJournalBytes bounds what one FetchJournal answers with.
const maxJournalBytes = 512 << 10

// FetchJournal fetches whole entries of a member's journal that follow sequence after, up to maxBytes (at most 512 KiB) but at least
// one; none: its journal ends there. ErrNotHere: it does not have the next entry. ErrUnreachable, ErrBusy: ask another,
// or later.
func (t *Transport) FetchJournal(ctx context.Context, m raft.Server, after uint64, maxBytes int) ([]byte, error) {
	p, err := t.peer(m.ID, m.Address)
	if err != nil {
		return nil, err
	}
	request := &raftv1.FetchJournalRequest{
		Envelope: p.envelope(), Header: t.header(), AfterSequence: after, MaxBytes: uint64(max(maxBytes, 0)),
	}
	var entries []byte
	err = fetch(ctx, p, "journal", func(ctx context.Context) (grpc.ServerStreamingClient[raftv1.FetchJournalResponse], error) {
		return p.installs.client.FetchJournal(ctx, request)
	}, func(answer *raftv1.FetchJournalResponse) error {
		if len(entries)+len(answer.GetEntries()) > t.config.MaxMessageBytes {
			return fmt.Errorf("expected up to %d bytes, found more", maxJournalBytes)
		}
		entries = append(entries, answer.GetEntries()...)
		return nil
	})
	return entries, err
}

// FetchPages fetches pages of the snapshot with this index and term from a member, as Puller.Pull does, but remembers nothing.
func (t *Transport) FetchPages(ctx context.Context, m raft.Server, index, term uint64, wants []byte, got func(items []byte) error) error {
	return t.fetchPages(ctx, m, &raftv1.FetchPagesRequest{Index: index, Term: term, Wants: wants}, got)
}

// fetchPages makes a call with what the request says.
func (t *Transport) fetchPages(ctx context.Context, m raft.Server, request *raftv1.FetchPagesRequest, got func([]byte) error) error {
	p, err := t.peer(m.ID, m.Address)
	if err != nil {
		return err
	}
	if wants := request.GetWants(); len(wants) > MaxWantsBytes {
		return p.failed("pages", fmt.Errorf("expected wants of up to %d bytes, found %d", MaxWantsBytes, len(wants)))
	}
	request.Envelope, request.Header = p.envelope(), t.header()
	return fetch(ctx, p, "pages", func(ctx context.Context) (grpc.ServerStreamingClient[raftv1.FetchPagesResponse], error) {
		return p.installs.client.FetchPages(ctx, request)
	}, func(answer *raftv1.FetchPagesResponse) error { return got(answer.GetItems()) })
}

// header names this member where raft does not.
func (t *Transport) header() *raftv1.Header {
	return headerToWire(raft.RPCHeader{
		ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(t.config.LocalID), Addr: []byte(t.config.LocalAddress),
	})
}

// fetch reads the answers to a call until its end. A member that is not reached within Reach costs no more than that; each
// answer must come within InstallIdle.
func fetch[A any](ctx context.Context, p *peer, what string, open func(context.Context) (grpc.ServerStreamingClient[A], error), got func(*A) error) error {
	t := p.transport
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(t.calls, func() { end(raft.ErrTransportShutdown) })()
	if err := p.installs.reach(ctx, t.config.Timeouts.Reach); err != nil {
		return p.callError(ctx, what, err)
	}
	idle := time.AfterFunc(t.config.Timeouts.InstallIdle, func() { end(errFetchIdle) })
	defer idle.Stop()
	stream, err := open(ctx)
	if err != nil {
		return p.callError(ctx, what, fetchError(err, false))
	}
	for some := false; ; some = true {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return p.callError(ctx, what, fetchError(err, some))
		}
		// What is done with it is not the member's time.
		idle.Stop()
		if err := got(answer); err != nil {
			return p.callError(ctx, what, err)
		}
		idle.Reset(t.config.Timeouts.InstallIdle)
	}
}

// reach waits, at most for the given time, until the lane has a connection.
func (l *lane) reach(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		state := l.connection.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			l.connection.Connect()
		case connectivity.Shutdown:
			return ErrUnreachable
		}
		if !l.connection.WaitForStateChange(ctx, state) {
			return ErrUnreachable
		}
	}
}

// fetchError adds what a status means to the one who fetches; some: after some answers had come.
func fetchError(err error, some bool) error {
	switch status.Code(err) {
	case codes.Unavailable:
		if !some {
			return fmt.Errorf("%w (%w)", ErrUnreachable, err)
		}
	case codes.ResourceExhausted:
		if !some {
			return fmt.Errorf("%w (%w)", ErrBusy, err)
		}
	case codes.NotFound, codes.OutOfRange, codes.Unimplemented:
		return fmt.Errorf("%w (%w)", ErrNotHere, err)
	}
	return err
}
