// Package examine is how a member looks at itself when an operator asks, and from itself at the others: by trial writes, by what
// it has loaded, and by connections that it makes for nothing else. What may be wrong is judged by who asks (internal/doctor).
package examine

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm/roster"
	"github.com/ballastdb/ballast/internal/grpctext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Self is the member that looks.
type Self interface {
	// Describe puts what is known without a wait into an answer.
	Describe(answer *ballastv1.ExamineResponse)
	// TryDisk makes some trial writes, until ctx ends.
	TryDisk(ctx context.Context) *ballastv1.DiskTrial
	// Others are the other members of its latest configuration.
	Others() []roster.Member
	// Reach makes a connection to an address of another member, asks something, and closes it. clock is what the other's clock showed,
	// where that way tells; zero: it does not.
	Reach(ctx context.Context, member roster.Member, way ballastv1.Way) (clock time.Time, err error)
	// Now is its clock.
	Now() time.Time
}

// Bounds of one look. A member is asked by people: what it costs must not depend on how often they do.
const (
	// limit of the whole, reachLimit of one connection.
	limit      = 3 * time.Second
	reachLimit = 2 * time.Second
	// rest is the least time between two looks.
	rest = time.Second
	// atOnce is how many connections are made at the same time: there are at most 127 others with three addresses each.
	atOnce = 32
)

// Examiner looks, one look at a time. It owns no goroutine beyond its calls.
type Examiner struct {
	self Self
	// turn has a token while somebody looks; who has it may touch what is below.
	turn         chan struct{}
	last         *ballastv1.ExamineResponse
	began, ended time.Time // of the last look
}

// New returns an Examiner that has not looked yet.
func New(self Self) *Examiner { return &Examiner{self: self, turn: make(chan struct{}, 1)} }

// Examine looks, and tells what was found. Who asks while others wait for their look shares it; none is older than the question. The error
// is ctx's.
func (e *Examiner) Examine(ctx context.Context) (*ballastv1.ExamineResponse, error) {
	asked := time.Now()
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-e.turn }()
	if e.last == nil || e.began.Before(asked) {
		if err := e.pause(ctx); err != nil {
			return nil, err
		}
		began := time.Now()
		answer := e.look(ctx)
		e.ended = time.Now()
		if ctx.Err() != nil { // who asked has gone: what was not found out is not wrong
			return nil, ctx.Err()
		}
		e.last, e.began = answer, began
	}
	answer := proto.Clone(e.last).(*ballastv1.ExamineResponse)
	answer.Age = durationpb.New(time.Since(e.began))
	return answer, nil
}

// pause waits until there may be another look.
func (e *Examiner) pause(ctx context.Context) error {
	timer := time.NewTimer(rest - time.Since(e.ended))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (e *Examiner) look(ctx context.Context) *ballastv1.ExamineResponse {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer := &ballastv1.ExamineResponse{}
	e.self.Describe(answer)
	var parts sync.WaitGroup
	parts.Go(func() { answer.Disk = e.self.TryDisk(ctx) })
	places := make(chan struct{}, atOnce)
	for _, m := range e.self.Others() {
		for _, way := range []ballastv1.Way{ballastv1.Way_WAY_MEMBER, ballastv1.Way_WAY_CLIENT, ballastv1.Way_WAY_OPERATOR} {
			r := &ballastv1.Reach{Name: nameOf(m), Way: way, Address: addressOf(m, way)}
			answer.Reaches = append(answer.Reaches, r)
			parts.Go(func() {
				select {
				case places <- struct{}{}:
					e.reach(ctx, m, r)
					<-places
				case <-ctx.Done():
					r.Error = fmt.Sprintf("not tried: others took all of %s", limit)
				}
			})
		}
	}
	parts.Wait()
	return answer
}

// reach tries one way.
func (e *Examiner) reach(ctx context.Context, m roster.Member, r *ballastv1.Reach) {
	if r.GetAddress() == "" {
		r.Error = "its address is not announced: add it again with all its addresses"
		return
	}
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	began, asked := time.Now(), e.self.Now()
	clock, err := e.self.Reach(ctx, m, r.GetWay())
	took := time.Since(began)
	if err != nil {
		r.Error = explain(ctx, err, took)
		return
	}
	r.Took = durationpb.New(took)
	if !clock.IsZero() {
		r.ClockAhead = durationpb.New(clock.Sub(asked.Add(took / 2)))
	}
}

// explain says in words why a member was not reached.
func explain(ctx context.Context, err error, took time.Duration) string {
	text := grpctext.Of(err)
	// A handshake that is not answered ends earlier than ctx, and says the same.
	if ctx.Err() != nil || strings.Contains(text, context.DeadlineExceeded.Error()) {
		return fmt.Sprintf("no answer within %s: what is sent there is lost on the way, or it hangs", took.Round(10*time.Millisecond))
	}
	return text
}

func addressOf(m roster.Member, way ballastv1.Way) string {
	switch way {
	case ballastv1.Way_WAY_MEMBER:
		return m.MemberAddress
	case ballastv1.Way_WAY_CLIENT:
		return m.ClientAddress
	case ballastv1.Way_WAY_OPERATOR:
		return m.OperatorAddress
	}
	return ""
}

func nameOf(m roster.Member) string {
	name, _, _ := strings.Cut(m.ID, "/")
	return name
}
