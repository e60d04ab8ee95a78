package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// clockView is the cluster's time in JSON.
type clockView struct {
	LogTime string `json:"log_time"`
	// BehindSeconds is the median of the voters' clocks less log time; negative: that is ahead.
	BehindSeconds float64       `json:"behind_seconds"`
	Members       []memberClock `json:"members"`
}

type memberClock struct {
	Name string `json:"name"`
	// OffsetSeconds is its clock less the median; null: it did not tell.
	OffsetSeconds *float64 `json:"offset_seconds"`
}

func newClockShowCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show how far the members' clocks and log time are off",
		Long: "Show every voter's clock against the median of them all, by which the leader stamps, and log time\n" +
			"against that median. One clock that is off moves nothing: mend it on its machine. Log time that is\n" +
			"behind runs at double speed until it is not; `ballast clock mend` has it step at once.",
		Example: "  ballast clock show",
		Args:    cobra.NoArgs,
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		for _, m := range c.Operator().StatusOfAll(ctx) {
			if clock := m.Status.GetClock(); clock.GetCluster() != 0 && m.Status.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER {
				return a.writeClock(m.Status.GetLogTime(), clock)
			}
		}
		return codeError{code: exitUnavailable, err: errNoClock}
	})
	return cmd
}

var errNoClock = errors.New("no leader answers that has read the voters' clocks: ballast status tells more")

func (a *app) writeClock(logTime int64, clock *ballastv1.ClockStatus) error {
	v := clockView{LogTime: timetext.Format(logTime), BehindSeconds: time.Duration(clock.GetMedian() - clock.GetCluster()).Seconds(), Members: []memberClock{}}
	g := &render.Grid{Columns: []render.Column{{Name: "clock"}, {Name: "offset", Right: true}}}
	for _, m := range clock.GetMembers() {
		v.Members = append(v.Members, memberClock{m.GetName(), secondsOf(m.GetOffset())})
		offset := "not told"
		if m.GetOffset() != nil {
			offset = m.GetOffset().AsDuration().Round(time.Millisecond).String()
		}
		g.Add(m.GetName(), offset)
	}
	g.Add("log time", time.Duration(clock.GetCluster()-clock.GetMedian()).Round(time.Millisecond).String())
	return a.write(g, v)
}

func newClockMendCommand(a *app) *cobra.Command {
	var forward time.Duration
	cmd := &cobra.Command{
		Use:   "mend --forward DURATION",
		Short: "Have log time step forward to the voters' clocks",
		Long: "Have log time, where it is behind the median of the voters' clocks, step to it at once. DURATION is\n" +
			"how far that is, as `ballast clock show` tells, within 2 s or a hundredth; otherwise nothing is\n" +
			"done. What would have ended on the way ends: operation ids whose window has passed are forgotten.\n" +
			"Refused where a majority of the clocks does not agree: mend the machines' clocks first. Log time is\n" +
			"never turned back: where it is ahead it runs at half speed.",
		Example: "  ballast clock mend --forward 1h",
		Args:    cobra.NoArgs,
	}
	cmd.Flags().DurationVar(&forward, "forward", 0, "how far log time is behind")
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
		if forward <= 0 {
			return usagef("--forward is missing, or not above 0: give how far log time is behind, as ballast clock show tells")
		}
		step, err := c.Operator().MendClock(ctx, forward)
		if err != nil {
			return operatorError(err)
		}
		g := &render.Grid{Columns: []render.Column{{Name: "forward"}}}
		g.Add(step.String())
		return a.write(g, map[string]float64{"forward_seconds": step.Seconds()})
	})
	return cmd
}
