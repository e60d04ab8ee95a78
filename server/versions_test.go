package server

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/roster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// atVersion is a store whose cluster version and roster the test says.
type atVersion struct {
	OperatorStore
	version uint32
	roster  fakeRoster
}

func (s *atVersion) ClusterVersion() uint32                         { return s.version }
func (s *atVersion) Member(id string) (roster.Member, bool)         { return s.roster.Member(id) }
func (s *atVersion) RaiseVersion(_ context.Context, v uint32) error { s.version = v; return nil }

// versionCommands applies to the store what the operator has committed.
type versionCommands struct {
	Commands
	*atVersion
}

func (c versionCommands) RaiseVersion(ctx context.Context, v uint32) error {
	return c.atVersion.RaiseVersion(ctx, v)
}

func (c versionCommands) Announce(_ context.Context, m roster.Member) error {
	c.roster[m.ID] = m
	return nil
}

// versioned is the operator service of member a, which applies cluster versions up to 3, at version 2.
func versioned(t *testing.T) (o *Operator, store *atVersion, peers *fakePeers) {
	m := newMember(t, nil)
	m.servers(voter(idA), voter(idB), nonVoter(idC))
	store = &atVersion{OperatorStore: m.fsm, version: 2, roster: fakeRoster{idB: rosterMember(idB), idC: rosterMember(idC)}}
	peers = &fakePeers{known: map[string]func() (Progress, error){}}
	cfg := m.operatorConfig
	cfg.Store, cfg.Commands, cfg.Peers, cfg.Logger = store, versionCommands{atVersion: store}, peers, hclog.NewNullLogger()
	cfg.Self.NewestVersion = 3
	return NewOperator(cfg), store, peers
}

// The cluster version rises only where every member's program goes along, the unreachable ones and non-voters included.
func TestRaiseClusterVersion(t *testing.T) {
	const silent = -1
	for name, c := range map[string]struct {
		b, c    int // what they answer, silent: nothing
		rosterC uint32
		wanted  uint32
		want    uint32 // 0: refused
		says    []string
	}{
		"as far as all go":               {b: 3, c: 3, want: 3},
		"one goes further":               {b: 4, c: 3, want: 3},
		"named":                          {b: 3, c: 3, wanted: 3, want: 3},
		"the one in force":               {b: 3, c: 3, wanted: 2, want: 2},
		"nothing newer":                  {b: 2, c: 3, want: 2},
		"a voter is older":               {b: 2, c: 3, wanted: 3, says: []string{"b applies versions up to 2", "program p", "upgrade it first"}},
		"a non-voter is older":           {b: 3, c: 2, wanted: 3, says: []string{"c applies versions up to 2"}},
		"the leader is older":            {b: 4, c: 4, wanted: 4, says: []string{"a applies versions up to 3"}},
		"silent, was new enough":         {b: 3, c: silent, rosterC: 3, want: 3},
		"silent, was older":              {b: 3, c: silent, rosterC: 2, wanted: 3, says: []string{"c applies versions up to 2 as far as it told before", "does not answer"}},
		"silent, never told":             {b: 3, c: silent, wanted: 3, says: []string{"c has never told"}},
		"silent, never told, as far as":  {b: 3, c: silent, says: []string{"c has never told"}},
		"silent, was older, as far as":   {b: 3, c: silent, rosterC: 2, says: []string{"c applies versions up to 2 as far as it told before"}},
		"the live answer beats the note": {b: 3, c: 2, rosterC: 3, wanted: 3, says: []string{"c applies versions up to 2 (program p)"}},
		"lower":                          {b: 3, c: 3, wanted: 1, says: []string{"can only be raised"}},
	} {
		o, store, peers := versioned(t)
		for id, newest := range map[string]int{idB: c.b, idC: c.c} {
			if newest != silent {
				peers.known[id] = func() (Progress, error) {
					return Progress{ID: raft.ServerID(id), Version: "p", NewestVersion: uint32(newest)}, nil
				}
			}
		}
		known := store.roster[idC]
		known.NewestVersion = c.rosterC
		store.roster[idC] = known
		r, err := o.RaiseClusterVersion(testContext(t), &ballastv1.RaiseClusterVersionRequest{Version: c.wanted})
		if c.want == 0 {
			if err == nil || store.version != 2 {
				t.Errorf("%s: answered %v, the version is %d", name, r, store.version)
				continue
			}
			var f *Failure
			if !errors.As(err, &f) || f.Code != codes.FailedPrecondition {
				t.Errorf("%s: %v", name, err)
			}
			wantText(t, err, c.says...)
			continue
		}
		if err != nil || r.GetBefore() != 2 || r.GetVersion() != c.want || store.version != c.want {
			t.Errorf("%s: answered %v, %v, the version is %d, want %d", name, r, err, store.version, c.want)
		}
	}
}

// The leader notes what members' programs apply, also when that becomes less, and nothing of those that do not answer.
func TestVersionsAreNoted(t *testing.T) {
	o, store, peers := versioned(t)
	newest := uint32(3)
	peers.known[idB] = func() (Progress, error) { return Progress{ID: idB, NewestVersion: newest}, nil }
	peers.known[idC] = func() (Progress, error) { return Progress{ID: idB, NewestVersion: 9}, nil } // another's data
	for _, newest = range []uint32{3, 3, 2} {
		o.noteVersions(testContext(t))
		if got := store.roster[idB]; got.NewestVersion != newest || got.ClientAddress != rosterMember(idB).ClientAddress {
			t.Errorf("noted %+v, want version %d and the rest as it was", got, newest)
		}
		if got := store.roster[idC].NewestVersion; got != 0 {
			t.Errorf("noted %d of a member that does not answer", got)
		}
	}
}

// A program that would stop at what the cluster has agreed on is not added.
func TestAddMemberRefusesAProgramThatIsTooOld(t *testing.T) {
	o, _, peers := versioned(t)
	const idD = "d/6f6f5c2e-1f53-4bb6-a3a7-00000000000d"
	peers.known[idD] = func() (Progress, error) { return Progress{ID: idD, Version: "0.0.9", NewestVersion: 1}, nil }
	r := addRequest(idD)
	_, err := o.AddMember(testContext(t), r)
	wantText(t, err, "version 2", "0.0.9", "up to 1")
}

func wantText(t *testing.T, err error, says ...string) {
	t.Helper()
	wantOperator(t, err, codes.FailedPrecondition, says...)
}
