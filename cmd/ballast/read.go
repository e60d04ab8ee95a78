package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// reading is how a verb reads: linearizable, or stale where asked.
type reading struct {
	stale bool
	state *ballastv1.ReadState // of the newest answer
}

func (r *reading) addFlags(flags *pflag.FlagSet) {
	flags.BoolVar(&r.stale, "stale", false, "take what any one member has, also without a majority, and say how old it is")
}

func (r *reading) options() []client.ReadOption {
	return append(r.choice(), client.OnState(func(s *ballastv1.ReadState) { r.state = s }))
}

// choice is for a look-up beside the one that is shown: it reads alike and its state is not told.
func (r *reading) choice() []client.ReadOption {
	if r.stale {
		return []client.ReadOption{client.Stale()}
	}
	return nil
}

// readView is a ReadState in JSON.
type readView struct {
	Index   uint64 `json:"index"`
	LogTime string `json:"log_time"`
	Stale   bool   `json:"stale"`
	// AgeSeconds since the member last heard from a leader; null: never since it started, or not a stale read.
	AgeSeconds *float64 `json:"age_seconds"`
}

func (r *reading) view() *readView {
	v := &readView{Index: r.state.GetIndex(), LogTime: timetext.Format(r.state.GetLogTime()), Stale: r.state.GetStale()}
	if age := r.state.GetAge(); v.Stale && age >= 0 {
		seconds := time.Duration(age).Seconds()
		v.AgeSeconds = &seconds
	}
	return v
}

// tell says on stderr how old a stale answer is.
func (r *reading) tell(a *app) {
	if r.state.GetStale() {
		a.note("%s", r.age())
	}
}

func (r *reading) age() string {
	at := fmt.Sprintf("stale: as of log index %d", r.state.GetIndex())
	if stamp := timetext.Format(r.state.GetLogTime()); stamp != "" {
		at += ", log time " + stamp
	}
	switch age := time.Duration(r.state.GetAge()); {
	case age < 0:
		return at + "; the member has not heard from a leader since it started"
	case age == 0:
		return at + "; the member believes that it leads"
	default:
		return at + fmt.Sprintf("; the member last heard from a leader %s ago", age.Round(time.Millisecond))
	}
}
