package linearizability

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Fault is one kind of trouble.
type Fault string

// Faults. Those that name a target do it to one member, by its role at that moment.
const (
	Kill           Fault = "kill -9"                        // and start again when the step ends
	Pause          Fault = "pause"                          // SIGSTOP, SIGCONT when the step ends
	Restart        Fault = "restart"                        // SIGTERM, start again when the step ends
	Transfer       Fault = "transfer leadership"            // to whoever the leader picks
	Isolate        Fault = "isolate"                        // from all members, both ways
	CutFrom        Fault = "cut what it sends to members"   // one way
	CutTo          Fault = "cut what members send to it"    // the other way
	HoldRequests   Fault = "hold requests of clients to it" // they arrive when the step ends
	HoldAnswers    Fault = "hold its answers to clients"    // likewise
	StallLog       Fault = "stall its log writes"           // each write waits
	JumpClock      Fault = "jump its clock"                 // and back when the step ends
	KillAll        Fault = "kill -9 all"                    // and start again when the step ends
	HoldThenKill   Fault = "hold its answers, then kill -9" // what it did is done, nobody was told
	IsolateAndKill Fault = "isolate, later kill -9"         // what it has not sent is lost
)

// Target chooses a member by its role when the step begins.
type Target uint8

// Targets.
const (
	Leader Target = iota
	FirstFollower
	SecondFollower
)

func (t Target) String() string {
	return [...]string{"leader", "first follower", "second follower"}[t]
}

// Step is one or two faults at the same time, for a while, after a while of peace.
type Step struct {
	Peace, Lasts time.Duration
	Faults       []TargetedFault
}

// TargetedFault is a fault and whom it hits.
type TargetedFault struct {
	Fault  Fault
	Target Target
	// Clock is by how much JumpClock jumps; Stall is how long each write waits for StallLog.
	Clock, Stall time.Duration
}

// String is the step as the log shows it.
func (s Step) String() string {
	var texts []string
	for _, f := range s.Faults {
		text := fmt.Sprintf("%s (%s)", f.Fault, f.Target)
		if f.Clock != 0 {
			text += " by " + f.Clock.String()
		}
		if f.Stall != 0 {
			text += " for " + f.Stall.String()
		}
		texts = append(texts, text)
	}
	return fmt.Sprintf("%s, for %s", strings.Join(texts, " and "), s.Lasts.Round(time.Millisecond))
}

// all faults that a random schedule draws from; those that cost most are drawn less by being listed less.
var all = []Fault{
	Kill, Kill, Pause, Pause, Restart, Transfer, Transfer, Isolate, Isolate, CutFrom, CutTo,
	HoldRequests, HoldAnswers, StallLog, JumpClock, HoldThenKill, IsolateAndKill, KillAll,
}

// Schedule draws the steps of one round of the given length.
func Schedule(r *rand.Rand, length time.Duration, from []Fault) (steps []Step) {
	for total := time.Duration(0); total < length; {
		s := Step{Peace: between(r, 300*time.Millisecond, 1500*time.Millisecond), Lasts: between(r, 300*time.Millisecond, 3*time.Second)}
		s.Faults = append(s.Faults, draw(r, from))
		if r.IntN(4) == 0 {
			second := draw(r, from)
			if second.Target != s.Faults[0].Target || second.Fault != s.Faults[0].Fault {
				s.Faults = append(s.Faults, second)
			}
		}
		steps = append(steps, s)
		total += s.Peace + s.Lasts
	}
	return steps
}

func draw(r *rand.Rand, from []Fault) TargetedFault {
	f := TargetedFault{Fault: from[r.IntN(len(from))]}
	if r.IntN(3) == 0 { // mostly the leader
		f.Target = FirstFollower + Target(r.IntN(2))
	}
	switch f.Fault {
	case JumpClock:
		jumps := []time.Duration{
			time.Second, 5 * time.Second, time.Hour, 365 * 24 * time.Hour,
			-time.Second, -5 * time.Second, -time.Hour, -365 * 24 * time.Hour,
		}
		f.Clock = jumps[r.IntN(len(jumps))]
	case StallLog:
		f.Stall = between(r, 50*time.Millisecond, 1500*time.Millisecond)
	}
	return f
}

func between(r *rand.Rand, from, to time.Duration) time.Duration {
	return from + time.Duration(r.Int64N(int64(to-from)))
}
