// Package upgrade walks a cluster from one version of the program to another, one member at a time. It changes no host: it says
// what to run where, watches what comes of it, and goes on when the cluster is whole again. What it knows it reads from the
// members each time, so that it can be interrupted anywhere and begun again.
//
//	all answer, one leader, all caught up, states agree ──► the next follower that has the old version ──► "run this there"
//	      ▲                                                 only the leader is left: it hands over first          │
//	      └───────────────────────── it answers with the new version ◄────────────────────────────────────────────┘
//	none is left: the cluster version is raised as far as every member's program goes
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Cluster is what an upgrade asks of a cluster; *client.Operator is one.
type Cluster interface {
	// StatusOfAll asks every member.
	StatusOfAll(ctx context.Context) []client.MemberStatus
	// TransferLeadership hands leadership over, to whom it suits best where name is empty.
	TransferLeadership(ctx context.Context, name string) (string, error)
	// RaiseClusterVersion raises the cluster version, 0: as far as every member's program goes.
	RaiseClusterVersion(ctx context.Context, version uint32) (before, after uint32, err error)
}

// Options of an upgrade.
type Options struct {
	// To is the version of the program that every member is to have, as packages name it, such as 0.2.0.
	To string
	// Command is what is to be run on a host.
	Command string
	// KeepClusterVersion leaves the cluster version as it is, so that there still is a way back.
	KeepClusterVersion bool
	// Say tells a person what to do and what is waited for. It is called often, mostly with what it was called with before.
	Say func(text string)
	// Every is the time between two looks. Default 500 ms.
	Every time.Duration
}

// Result is what came of it.
type Result struct {
	// Before and After are the cluster version.
	Before, After uint32
}

// askTimeout bounds one round of questions to members that may be silent.
const askTimeout = 3 * time.Second

// Run walks the cluster to the version. It ends when that is done, when ctx ends, or with an error that does not pass.
func Run(ctx context.Context, c Cluster, o Options) (Result, error) {
	if o.Every == 0 {
		o.Every = 500 * time.Millisecond
	}
	w := &walk{Options: o, cluster: c}
	for {
		next, err := w.step(ctx)
		if err != nil {
			return Result{}, err
		}
		if next == nil {
			break
		}
		if err := w.pause(ctx, *next); err != nil {
			return Result{}, err
		}
	}
	return w.raise(ctx)
}

// walk is an upgrade under way.
type walk struct {
	Options
	cluster Cluster
	told    string // the member that an instruction was about last
}

// step looks at the cluster, does what is next and can be done from here, and answers what is waited for; nil: every member
// has the version, and the cluster is whole.
func (w *walk) step(ctx context.Context) (wait *string, err error) {
	v, err := w.look(ctx)
	if err != nil {
		text := err.Error()
		return &text, nil
	}
	next := v.next(w.To)
	if next == nil {
		return v.trouble(nil), nil
	}
	if trouble := v.trouble(next); trouble != nil {
		return trouble, nil
	}
	if next.leads(v) {
		return w.handOver(ctx, next)
	}
	text := w.instruction(next)
	w.told = next.name
	return &text, nil
}

// instruction is what a person is to do about the member that is next.
func (w *walk) instruction(next *member) string {
	switch {
	case next.status != nil:
		return fmt.Sprintf("%s, which runs %s: run on %s: %s", next.name, next.status.GetVersion(), next.host, w.Command)
	case next.name == w.told:
		return fmt.Sprintf("%s is on its way: waiting until it answers with %s", next.name, w.To)
	}
	return fmt.Sprintf("%s does not answer: bring it back first; where its upgrade was begun, finish it: run on %s: %s", next.name, next.host, w.Command)
}

// handOver has the leader, which is the last one left, hand over.
func (w *walk) handOver(ctx context.Context, leader *member) (wait *string, err error) {
	w.Say(leader.name + " is the last one and leads: handing leadership over")
	ctx, cancel := context.WithTimeout(ctx, 2*askTimeout)
	defer cancel()
	to, err := w.cluster.TransferLeadership(ctx, "")
	text := to + " leads now"
	if err != nil {
		if final(err) {
			return nil, fmt.Errorf("%s leads and did not hand over: %w", leader.name, err)
		}
		text = fmt.Sprintf("%s did not hand over yet: %v", leader.name, err)
	}
	return &text, nil
}

// raise raises the cluster version as far as all programs go.
func (w *walk) raise(ctx context.Context) (Result, error) {
	v, err := w.look(ctx)
	if err != nil {
		return Result{}, err
	}
	if w.KeepClusterVersion {
		return Result{v.clusterVersion, v.clusterVersion}, nil
	}
	for {
		once, cancel := context.WithTimeout(ctx, 2*askTimeout)
		before, after, err := w.cluster.RaiseClusterVersion(once, 0)
		cancel()
		if err == nil {
			return Result{before, after}, nil
		}
		if final(err) {
			return Result{}, fmt.Errorf("every member runs %s, and the cluster version was not raised: %w", w.To, err)
		}
		if err := w.pause(ctx, fmt.Sprintf("the cluster version is not raised yet: %v", err)); err != nil {
			return Result{}, err
		}
	}
}

// final tells an error that does not pass by itself.
func final(err error) bool {
	var status *client.StatusError
	if !errors.As(err, &status) {
		return false
	}
	switch status.Code {
	case codes.PermissionDenied, codes.Unauthenticated, codes.InvalidArgument, codes.Unimplemented:
		return true
	}
	return false
}

// pause says what is waited for, and waits a moment.
func (w *walk) pause(ctx context.Context, what string) error {
	w.Say(what)
	timer := time.NewTimer(w.Every)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w, while this was waited for: %s", ctx.Err(), what)
	}
}

// look asks all members how they are.
func (w *walk) look(ctx context.Context) (*view, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return viewOf(w.cluster.StatusOfAll(ctx))
}

// hostOf is the host of the address at which a member is operated.
func hostOf(m *ballastv1.Member) string {
	for _, address := range []string{m.GetOperatorAddress(), m.GetMemberAddress()} {
		if host, _, err := net.SplitHostPort(address); err == nil {
			return host
		}
	}
	return m.GetName()
}

// is tells whether a program's version is that of a package: it may name the commit and build tags behind it.
func is(version, packaged string) bool {
	rest, ok := strings.CutPrefix(version, packaged)
	return ok && (rest == "" || rest[0] == '+' || rest[0] == ' ')
}
