package devcluster

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/ballastdb/ballast/internal/childproc"
)

const (
	restartAfter = time.Second
	// stopPatience is longer than the bound that ballastd itself puts on an orderly stop (10 s).
	stopPatience = 15 * time.Second
	// exitConfig is EX_CONFIG: the member refuses its configuration or data, and starting it again changes nothing.
	exitConfig = 78
)

// supervisor keeps the members' processes running.
type supervisor struct {
	program string
	restart bool
	// tell says what happened to a member.
	tell func(text string)

	stopping chan struct{}
	stopOnce sync.Once
	group    sync.WaitGroup
	// down is closed when the last member is down for good.
	down chan struct{}

	mu       sync.Mutex
	early    error // the first member that ended while the cluster was being formed
	earlyHit chan struct{}
	formed   bool
	pids     map[string]int // by member; one that has ended keeps its last
}

func newSupervisor(program string, restart bool, tell func(string)) *supervisor {
	return &supervisor{
		program: program, restart: restart, tell: tell,
		stopping: make(chan struct{}), down: make(chan struct{}), earlyHit: make(chan struct{}),
		pids: make(map[string]int),
	}
}

// start starts all members, each with a goroutine that looks after it.
func (s *supervisor) start(members []Member) error {
	defer func() {
		go func() { // ends when the group does, which stop waits for
			s.group.Wait()
			close(s.down)
		}()
	}()
	for i := range members {
		p, err := s.startMember(&members[i])
		if err != nil {
			return err
		}
		s.group.Go(func() { s.look(&members[i], p) })
	}
	return nil
}

func (s *supervisor) startMember(m *Member) (*childproc.Process, error) {
	p, err := startProcess(s.program, []string{"run", "--config", m.ConfigFile()}, m.LogFile())
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", m.Name, err)
	}
	s.mu.Lock()
	s.pids[m.Name] = p.PID()
	s.mu.Unlock()
	return p, nil
}

// look watches a member's process and starts it again where it dies.
func (s *supervisor) look(m *Member, p *childproc.Process) {
	for {
		select {
		case <-s.stopping:
			if p.Stop(stopPatience) {
				s.tell(fmt.Sprintf("%s did not stop within %s and was killed", m.Name, stopPatience))
			}
			return
		case <-p.Exited():
		}
		if !s.again(m, p) {
			return
		}
		var err error
		if p, err = s.startMember(m); err != nil {
			s.tell(err.Error())
			return
		}
		s.tell(m.Name + " is started again")
	}
}

// again decides whether a member whose process ended is started again, and waits for the moment.
func (s *supervisor) again(m *Member, p *childproc.Process) bool {
	if s.duringForming(m, p) {
		return false
	}
	switch {
	case p.ExitCode() == exitConfig:
		s.tell(fmt.Sprintf("%s refuses its configuration or data and is not started again; the end of %s:\n%s", m.Name, m.LogFile(), childproc.Tail(m.LogFile())))
		return false
	case !s.restart:
		s.tell(fmt.Sprintf("%s ended: %s; it stays down (--no-restart); by hand: ballastd run --config %s", m.Name, p.Ending(), m.ConfigFile()))
		return false
	}
	s.tell(fmt.Sprintf("%s ended: %s; starting it again in %s", m.Name, p.Ending(), restartAfter))
	timer := time.NewTimer(restartAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.stopping:
		return false
	}
}

// duringForming notes a member that ends before the cluster is there: that is an error, not something to repeat.
func (s *supervisor) duringForming(m *Member, p *childproc.Process) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.formed {
		return false
	}
	if s.early == nil {
		s.early = fmt.Errorf("%s ended while the cluster was starting: %s; the end of %s:\n%s", m.Name, p.Ending(), m.LogFile(), childproc.Tail(m.LogFile()))
		close(s.earlyHit)
	}
	return true
}

// processes are the ids of the newest process of each member.
func (s *supervisor) processes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.pids))
}

// setFormed ends the time in which a member's end is an error.
func (s *supervisor) setFormed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.formed = true
}

func (s *supervisor) earlyError() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.early
}

// stop stops all members and waits for them.
func (s *supervisor) stop() {
	s.stopOnce.Do(func() { close(s.stopping) })
	<-s.down
}
