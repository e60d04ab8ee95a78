package transport

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// TestMessagesComeFromWhoProvedTheName: a member whose certificate has one name must not speak for another, nor may one
// that proved nothing.
func TestMessagesComeFromWhoProvedTheName(t *testing.T) {
	proven := make(chan func() (string, error), 1)
	dialled := make(chan string, 16)
	a := startMember(t, "a", func(c *Config) {
		c.Credentials = func(name string) credentials.TransportCredentials {
			dialled <- name
			return insecure.NewCredentials()
		}
	})
	b := startMember(t, "b", func(c *Config) {
		c.Caller = func(context.Context) (string, error) {
			f := <-proven
			defer func() { proven <- f }()
			return f()
		}
	})
	b.answerAll(t, func(rpc raft.RPC) (any, error) {
		if _, isVote := rpc.Command.(*raft.RequestVoteRequest); isVote {
			return &raft.RequestVoteResponse{Granted: true}, nil
		}
		return success(rpc)
	})
	header := heartbeat(a).RPCHeader
	calls := map[string]func() error{
		"heartbeat": func() error {
			return a.AppendEntries(b.id, b.address, heartbeat(a), &raft.AppendEntriesResponse{})
		},
		"vote": func() error {
			return a.RequestVote(b.id, b.address, &raft.RequestVoteRequest{RPCHeader: header, Term: 3}, &raft.RequestVoteResponse{})
		},
		"transfer": func() error {
			return a.TimeoutNow(b.id, b.address, &raft.TimeoutNowRequest{RPCHeader: header}, &raft.TimeoutNowResponse{})
		},
		"pages": func() error {
			return a.FetchPages(t.Context(), serverOf(b), 9, 2, nil, func([]byte) error { return nil })
		},
		"manifest": func() error {
			_, err := a.FetchManifest(t.Context(), serverOf(b))
			return err
		},
		"journal": func() error {
			_, err := a.FetchJournal(t.Context(), serverOf(b), 0, 1)
			return err
		},
		"snapshot": func() error {
			return a.InstallSnapshot(b.id, b.address, &raft.InstallSnapshotRequest{RPCHeader: header, Term: 3, Size: 1},
				&raft.InstallSnapshotResponse{}, bytes.NewReader([]byte{1}))
		},
	}
	refused := func(says string) {
		t.Helper()
		for name, call := range calls {
			if err := call(); err == nil || !strings.Contains(err.Error(), says) {
				t.Errorf("%s: %v, want a refusal that says %q", name, err, says)
			}
		}
	}
	proven <- func() (string, error) { return "c", nil }
	refused("expected a message of member c, as its certificate says, found one of member a")
	<-proven
	proven <- func() (string, error) { return "", errors.New("no certificate was shown") }
	refused("no certificate was shown")
	if _, err := a.ConfirmTerm(t.Context(), b.id, b.address); err == nil || !strings.Contains(err.Error(), "no certificate was shown") {
		t.Errorf("confirmation: %v", err)
	}
	<-proven
	proven <- func() (string, error) { return "a", nil }
	for _, name := range []string{"heartbeat", "vote"} {
		if err := calls[name](); err != nil {
			t.Errorf("%s of the right member: %v", name, err)
		}
	}
	if name := <-dialled; name != "b" {
		t.Errorf("credentials were asked for %q, want b", name)
	}
}
