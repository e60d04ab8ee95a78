package transport

import (
	"fmt"
	"math"
	"time"

	"github.com/hashicorp/raft"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"

	"github.com/ballastdb/ballast/internal/guard"
)

// Raft's structs to messages and back. Nothing is copied on the way out: a message is encoded before the call that sends
// it returns, and entries are never changed. On the way in the decoder has made every byte slice anew, and raft owns it.

func headerToWire(h raft.RPCHeader) *raftv1.Header {
	return &raftv1.Header{ProtocolVersion: int32(h.ProtocolVersion), Id: h.ID, Addr: h.Addr}
}

func headerFromWire(h *raftv1.Header) raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersion(h.GetProtocolVersion()), ID: h.GetId(), Addr: h.GetAddr()}
}

func entryToWire(l *raft.Log) *raftv1.Entry {
	e := &raftv1.Entry{Index: l.Index, Term: l.Term, Type: uint32(l.Type), Data: l.Data, Extensions: l.Extensions}
	if !l.AppendedAt.IsZero() {
		e.AppendedAt = l.AppendedAt.UnixNano()
	}
	return e
}

func entryFromWire(e *raftv1.Entry) (*raft.Log, error) {
	if e.GetType() > math.MaxUint8 {
		return nil, fmt.Errorf("entry %d: expected a type up to %d, found %d", e.GetIndex(), math.MaxUint8, e.GetType())
	}
	l := &raft.Log{Index: e.GetIndex(), Term: e.GetTerm(), Type: raft.LogType(e.GetType()), Data: e.GetData(), Extensions: e.GetExtensions()}
	if e.GetAppendedAt() != 0 {
		l.AppendedAt = time.Unix(0, e.GetAppendedAt())
	}
	return l, nil
}

func appendToWire(envelope *raftv1.Envelope, r *raft.AppendEntriesRequest) *raftv1.AppendEntriesRequest {
	entries := make([]*raftv1.Entry, len(r.Entries))
	for i, l := range r.Entries {
		entries[i] = entryToWire(l)
	}
	return &raftv1.AppendEntriesRequest{
		Envelope:          envelope,
		Header:            headerToWire(r.RPCHeader),
		Term:              r.Term,
		Leader:            r.Leader,
		PrevLogEntry:      r.PrevLogEntry,
		PrevLogTerm:       r.PrevLogTerm,
		Entries:           entries,
		LeaderCommitIndex: r.LeaderCommitIndex,
	}
}

// appendFromWire also refuses entries that do not follow the one named before them and each other: raft would store
// them as they come, with a hole.
func appendFromWire(m *raftv1.AppendEntriesRequest) (*raft.AppendEntriesRequest, error) {
	var entries []*raft.Log
	if len(m.GetEntries()) > 0 {
		entries = make([]*raft.Log, len(m.GetEntries()))
	}
	for i, e := range m.GetEntries() {
		if expected := m.GetPrevLogEntry() + uint64(i) + 1; e.GetIndex() != expected {
			return nil, fmt.Errorf("entries: expected index %d at position %d, found %d", expected, i, e.GetIndex())
		}
		l, err := entryFromWire(e)
		if err != nil {
			return nil, err
		}
		entries[i] = l
	}
	return &raft.AppendEntriesRequest{
		RPCHeader:         headerFromWire(m.GetHeader()),
		Term:              m.GetTerm(),
		Leader:            m.GetLeader(),
		PrevLogEntry:      m.GetPrevLogEntry(),
		PrevLogTerm:       m.GetPrevLogTerm(),
		Entries:           entries,
		LeaderCommitIndex: m.GetLeaderCommitIndex(),
	}, nil
}

// releaseAppend ends the transport's use of a decoded request. Raft and its log cache keep the entries, so there is
// nothing to give back to a pool; unguarded, their bytes are used again, as a pool's would be.
func releaseAppend(r *raft.AppendEntriesRequest) {
	if guard.On("log-data") {
		return
	}
	for _, l := range r.Entries {
		clear(l.Data)
	}
}

func appendAnswerToWire(r *raft.AppendEntriesResponse) *raftv1.AppendEntriesResponse {
	return &raftv1.AppendEntriesResponse{
		Header: headerToWire(r.RPCHeader), Term: r.Term, LastLog: r.LastLog, Success: r.Success, NoRetryBackoff: r.NoRetryBackoff,
	}
}

func appendAnswerFromWire(m *raftv1.AppendEntriesResponse) raft.AppendEntriesResponse {
	return raft.AppendEntriesResponse{
		RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), LastLog: m.GetLastLog(),
		Success: m.GetSuccess(), NoRetryBackoff: m.GetNoRetryBackoff(),
	}
}

func voteToWire(envelope *raftv1.Envelope, r *raft.RequestVoteRequest) *raftv1.RequestVoteRequest {
	return &raftv1.RequestVoteRequest{
		Envelope: envelope, Header: headerToWire(r.RPCHeader), Term: r.Term, Candidate: r.Candidate,
		LastLogIndex: r.LastLogIndex, LastLogTerm: r.LastLogTerm, LeadershipTransfer: r.LeadershipTransfer,
	}
}

func voteFromWire(m *raftv1.RequestVoteRequest) *raft.RequestVoteRequest {
	return &raft.RequestVoteRequest{
		RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), Candidate: m.GetCandidate(),
		LastLogIndex: m.GetLastLogIndex(), LastLogTerm: m.GetLastLogTerm(), LeadershipTransfer: m.GetLeadershipTransfer(),
	}
}

func voteAnswerToWire(r *raft.RequestVoteResponse) *raftv1.RequestVoteResponse {
	return &raftv1.RequestVoteResponse{Header: headerToWire(r.RPCHeader), Term: r.Term, Peers: r.Peers, Granted: r.Granted}
}

func voteAnswerFromWire(m *raftv1.RequestVoteResponse) raft.RequestVoteResponse {
	return raft.RequestVoteResponse{RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), Peers: m.GetPeers(), Granted: m.GetGranted()}
}

func preVoteToWire(envelope *raftv1.Envelope, r *raft.RequestPreVoteRequest) *raftv1.RequestPreVoteRequest {
	return &raftv1.RequestPreVoteRequest{
		Envelope: envelope, Header: headerToWire(r.RPCHeader), Term: r.Term, LastLogIndex: r.LastLogIndex, LastLogTerm: r.LastLogTerm,
	}
}

func preVoteFromWire(m *raftv1.RequestPreVoteRequest) *raft.RequestPreVoteRequest {
	return &raft.RequestPreVoteRequest{
		RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), LastLogIndex: m.GetLastLogIndex(), LastLogTerm: m.GetLastLogTerm(),
	}
}

func preVoteAnswerToWire(r *raft.RequestPreVoteResponse) *raftv1.RequestPreVoteResponse {
	return &raftv1.RequestPreVoteResponse{Header: headerToWire(r.RPCHeader), Term: r.Term, Granted: r.Granted}
}

func preVoteAnswerFromWire(m *raftv1.RequestPreVoteResponse) raft.RequestPreVoteResponse {
	return raft.RequestPreVoteResponse{RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), Granted: m.GetGranted()}
}

func timeoutNowToWire(envelope *raftv1.Envelope, r *raft.TimeoutNowRequest) *raftv1.TimeoutNowRequest {
	return &raftv1.TimeoutNowRequest{Envelope: envelope, Header: headerToWire(r.RPCHeader)}
}

func timeoutNowFromWire(m *raftv1.TimeoutNowRequest) *raft.TimeoutNowRequest {
	return &raft.TimeoutNowRequest{RPCHeader: headerFromWire(m.GetHeader())}
}

func timeoutNowAnswerToWire(r *raft.TimeoutNowResponse) *raftv1.TimeoutNowResponse {
	return &raftv1.TimeoutNowResponse{Header: headerToWire(r.RPCHeader)}
}

func timeoutNowAnswerFromWire(m *raftv1.TimeoutNowResponse) raft.TimeoutNowResponse {
	return raft.TimeoutNowResponse{RPCHeader: headerFromWire(m.GetHeader())}
}

func installToWire(envelope *raftv1.Envelope, r *raft.InstallSnapshotRequest) *raftv1.InstallSnapshotHeader {
	return &raftv1.InstallSnapshotHeader{
		Envelope: envelope, Header: headerToWire(r.RPCHeader), SnapshotVersion: uint32(r.SnapshotVersion), Term: r.Term, Leader: r.Leader,
		LastLogIndex: r.LastLogIndex, LastLogTerm: r.LastLogTerm, Peers: r.Peers,
		Configuration: r.Configuration, ConfigurationIndex: r.ConfigurationIndex, Size: r.Size,
	}
}

func installFromWire(m *raftv1.InstallSnapshotHeader) *raft.InstallSnapshotRequest {
	return &raft.InstallSnapshotRequest{
		RPCHeader: headerFromWire(m.GetHeader()), SnapshotVersion: raft.SnapshotVersion(m.GetSnapshotVersion()), Term: m.GetTerm(), Leader: m.GetLeader(),
		LastLogIndex: m.GetLastLogIndex(), LastLogTerm: m.GetLastLogTerm(), Peers: m.GetPeers(),
		Configuration: m.GetConfiguration(), ConfigurationIndex: m.GetConfigurationIndex(), Size: m.GetSize(),
	}
}

func installAnswerToWire(r *raft.InstallSnapshotResponse) *raftv1.InstallSnapshotAnswer {
	return &raftv1.InstallSnapshotAnswer{Header: headerToWire(r.RPCHeader), Term: r.Term, Success: r.Success}
}

func installAnswerFromWire(m *raftv1.InstallSnapshotAnswer) raft.InstallSnapshotResponse {
	return raft.InstallSnapshotResponse{RPCHeader: headerFromWire(m.GetHeader()), Term: m.GetTerm(), Success: m.GetSuccess()}
}
