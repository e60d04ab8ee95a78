package server

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/diskspace"
)

// RoomConfig is what a Room needs. Zero times mean the defaults.
type RoomConfig struct {
	Raft    Raft
	LocalID raft.ServerID
	Roster  Roster
	Peers   Peers
	Gate    *Gate
	// Own is how much room this member's disk has.
	Own func() diskspace.Level
	// HandOver hands leadership to another member, one whose disk has room where there is one.
	HandOver func(ctx context.Context) error
	Logger   hclog.Logger
	// Period between two looks. Default 1 s.
	Period time.Duration
	// Limit is how long a hand-over may take. Default 5 s.
	Limit time.Duration
}

// Room sees to it that disks do not fill up by writes: a leader whose disk is low hands over to a voter whose disk is not,
// and where no majority of the voters has room, the leader refuses writes. What it knows of the others they tell it, at each
// look anew. Run is its only goroutine. internal/diskspace/README.md has the rules.
type Room struct {
	cfg RoomConfig

	// Only Run's goroutine touches it: what was said last.
	said string
}

// NewRoom returns a Room that does nothing before Run.
func NewRoom(cfg RoomConfig) *Room {
	defaultTo(&cfg.Period, time.Second)
	defaultTo(&cfg.Limit, 5*time.Second)
	return &Room{cfg: cfg}
}

// Run looks until ctx ends.
func (r *Room) Run(ctx context.Context) {
	ticker := time.NewTicker(r.cfg.Period)
	defer ticker.Stop()
	for {
		r.look(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// roomView is what a leader knows of the voters' disks.
type roomView struct {
	voters, roomy int
	low           []string // names
	own           diskspace.Level
}

// refusal is why writes are refused; empty: they are not.
func (v roomView) refusal() string {
	switch {
	case len(v.low) > 0 && v.roomy <= v.voters/2:
		return fmt.Sprintf("writes are refused, because the disk of %s is low and of %d voters %d answer and have room: make room there, or start the members that are down; nothing is lost, reads go on, and writes go on by themselves",
			strings.Join(v.low, ", "), v.voters, v.roomy)
	case v.own >= diskspace.Tight:
		return "writes are refused, because the disk of the leader is nearly full and leadership could not be handed over yet: make room there; nothing is lost, reads go on, and writes go on by themselves"
	}
	return ""
}

// look acts on what the disks of the voters have now.
func (r *Room) look(ctx context.Context) {
	if _, ok := leads(r.cfg.Raft); !ok {
		r.cfg.Gate.AllowForRoom()
		return
	}
	v, err := r.view(ctx)
	if err != nil {
		return // raft is shut down
	}
	if why := v.refusal(); why != "" {
		r.cfg.Gate.StopForRoom(why)
		r.say(why, func() {
			r.cfg.Logger.Error("disks are low: writes are refused", "low", v.low, "voters", v.voters, "with_room", v.roomy)
		})
	} else {
		r.cfg.Gate.AllowForRoom()
		r.say("", func() { r.cfg.Logger.Info("writes are no longer refused for want of room") })
	}
	if v.own >= diskspace.Low && v.roomy > 0 {
		r.handOver(ctx)
	}
}

// say logs each thing once.
func (r *Room) say(what string, log func()) {
	if what != r.said {
		r.said = what
		log()
	}
}

// view asks the other voters. One that does not answer has no room that anybody could use.
func (r *Room) view(ctx context.Context) (v roomView, err error) {
	configuration, _, err := latest(r.cfg.Raft)
	if err != nil {
		return v, err
	}
	v.own = r.cfg.Own()
	for _, s := range configuration.Servers {
		if s.Suffrage != raft.Voter || s.ID != r.cfg.LocalID {
			continue
		}
		v.note(s.ID, v.own >= diskspace.Low)
	}
	for _, a := range askVoters(ctx, r.cfg.Peers, r.cfg.Roster, configuration, r.cfg.LocalID) {
		if a.err != nil {
			v.voters++
			continue
		}
		v.note(a.server.ID, a.progress.LowDisk)
	}
	return v, nil
}

func (v *roomView) note(id raft.ServerID, low bool) {
	v.voters++
	if low {
		v.low = append(v.low, memberName(id))
	} else {
		v.roomy++
	}
}

func (r *Room) handOver(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Limit)
	defer cancel()
	if err := r.cfg.HandOver(ctx); err != nil {
		r.cfg.Logger.Warn("the disk of this leader is low, and leadership is not handed over; it is tried again", "error", err)
		return
	}
	r.cfg.Logger.Warn("the disk of this member is low: leadership was handed over")
}
