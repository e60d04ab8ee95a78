package catchup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// usualElection is the bar of a leader's absence once a majority can vote: docs/performance.md's fail-over as callers
// see it, and half as much again.
const usualElection = 3 * time.Second

// sentAgain bounds what the disturbed member is sent, in what the others need: its accounts are written to meanwhile.
const sentAgain = 1.2

// changedRecord is about what a record takes on the wire where all of them changed: then pages are sent whole.
const changedRecord = accountRecord

// stormKill lets one voter and three non-voters back, and kills the leader when the first of them has staged a third of
// what it lacks. The load changes one account in a hundred, so that most pages stay right and need not be sent again.
func stormKill(ctx context.Context, r *rig) error {
	plan := shape{voters: 3, nonVoters: 3}
	if err := r.form(ctx, plan); err != nil {
		return err
	}
	if err := errors.Join(r.set(ctx, smallIDs(fewIDs)), r.shortLog(ctx)); err != nil {
		return err
	}
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	stays := r.voterBut(leader, plan)
	comers := r.others(leader, stays)
	if err := r.cut(comers...); err != nil {
		return err
	}
	if err := r.credit(ctx, r.some(r.Accounts)); err != nil {
		return err
	}
	index, err := r.committed(ctx)
	if err != nil {
		return err
	}
	if _, err := r.creditUntil(ctx, r.some(max(r.Accounts/100, 1)), func() error { return r.beyondLog(ctx, index, comers...) }); err != nil {
		return err
	}
	// What they lack takes one member about 20 s.
	lacking := int64(r.Accounts) * changedRecord
	transferRate := uint64(max(lacking/20, 512<<10))
	if err := r.set(ctx, &ballastv1.Settings{TransferRate: &transferRate}); err != nil {
		return err
	}
	before, err := r.carriedToEach(comers, leader)
	if err != nil {
		return err
	}

	witness := newWitness(ctx, r.client, r.Accounts)
	if err := r.killWhileStaging(ctx, leader, comers, before, lacking/3); err != nil {
		return errors.Join(err, witness.stop(ctx))
	}
	// From now on it need not be slow.
	transferRate = 64 << 20
	if err := r.set(ctx, &ballastv1.Settings{TransferRate: &transferRate}); err != nil {
		return err
	}
	if err := leader.Start(); err != nil {
		return err
	}
	took, err := r.applied(ctx, stormBack, comers...)
	if err != nil {
		return err
	}
	r.report.add("caught_up", took.Seconds(), unitSeconds)
	if err := witness.stop(ctx); err != nil {
		return err
	}
	r.report.holds("nothing_lost_or_doubled", true) // else the witnesses end the run
	if _, err := r.equal(ctx, time.Minute); err != nil {
		return err
	}
	r.report.holds("same_digest", true)
	after, err := r.carriedToEach(comers, leader)
	if err != nil {
		return err
	}
	var all []int64
	for name, c := range after {
		sent := c.minus(before[name])
		r.report.note("to %s: %v", name, sent)
		all = append(all, sent.pages())
	}
	// One member at a time is sent to: one was disturbed, and the others tell what that one would have needed.
	most, least := slices.Max(all), slices.Min(all)
	r.report.add("pages_to_one_member", float64(most), unitBytes)
	r.report.atMost("pages_sent_again", float64(most)/float64(max(least, 1)), "times needed", sentAgain)
	return nil
}

// killWhileStaging lets the comers back, waits until one of them has so many bytes of pages, kills the leader and measures
// how long there is none, and no write succeeds.
func (r *rig) killWhileStaging(
	ctx context.Context, leader *testcluster.Member, comers []*testcluster.Member, before map[string]carried, bytes int64,
) error {
	if err := r.heal(); err != nil {
		return err
	}
	staging, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	err := testcluster.Until(staging, fmt.Sprintf("a member has staged %d bytes of pages", bytes), func(context.Context) error {
		now, err := r.carriedToEach(comers, leader)
		if err != nil {
			return err
		}
		most := int64(0)
		for name, c := range now {
			most = max(most, c.minus(before[name]).pages())
		}
		if most < bytes {
			return fmt.Errorf("at most %d were received", most)
		}
		return nil
	})
	if err != nil {
		return err
	}
	// Whoever leads by now: under load it may be another.
	now, err := r.leader(ctx)
	if err != nil {
		return err
	}
	if now != leader {
		return fmt.Errorf("%s leads, %s did when the members came back: the figures would not fit together", now.Name, leader.Name)
	}
	if err := leader.Kill(); err != nil {
		return err
	}
	killed := time.Now()
	next, err := r.leader(ctx)
	if err != nil {
		return err
	}
	elected := time.Since(killed)
	r.tell("%s leads %v after the kill", next.Name, elected)
	r.report.atMost("leaderless", elected.Seconds(), unitSeconds, usualElection.Seconds())
	for {
		if err := r.creditOnce(ctx, []int{0}); err == nil {
			break
		} else if ctx.Err() != nil {
			return err
		}
	}
	r.report.add("writes_back", time.Since(killed).Seconds(), unitSeconds)
	r.report.note("accounts are written to again, %s among them", workload.AccountID(0))
	return nil
}
