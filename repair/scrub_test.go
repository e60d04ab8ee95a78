package repair

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds what a test waits for; it is no claim about speed.
const patience = 20 * time.Second

// pieces is a Part of so many pieces, some of them damaged.
type pieces struct {
	name    string
	count   int
	damaged map[int]error
	at      int
}

func (p *pieces) Name() string { return p.name }

func (p *pieces) Next(context.Context) (int, bool, error) {
	err := p.damaged[p.at]
	p.at = (p.at + 1) % p.count
	return 10, p.at != 0, err
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

// TestScrubWalksEveryPartAgainAndAgain: everything is looked at in each pass, what is damaged told each time, and one
// part's end does not keep the others waiting.
func TestScrubWalksEveryPartAgainAndAgain(t *testing.T) {
	bad := errors.New("bad")
	var mu sync.Mutex
	found := map[string]int{}
	s := NewScrub(ScrubConfig{
		Parts: []Part{&pieces{name: "whole", count: 3}, &pieces{name: "hurt", count: 7, damaged: map[int]error{2: bad, 6: bad}}},
		Rest:  time.Millisecond, Rate: 1 << 30,
		Found: func(part string, err error) {
			mu.Lock()
			defer mu.Unlock()
			if !errors.Is(err, bad) {
				t.Errorf("found %v", err)
			}
			found[part]++
		},
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	eventually(t, "three passes over both", func() bool {
		status := s.Status()
		return status[0].Passes >= 3 && status[1].Passes >= 3
	})
	cancel()
	running.Wait()
	status := s.Status()
	if whole := status[0]; whole.Found != 0 || whole.Last.IsZero() || found["whole"] != 0 {
		t.Errorf("of what is whole: %+v", whole)
	}
	if hurt := status[1]; hurt.Found != 2 && hurt.Found != 1 || found["hurt"] < 6 {
		t.Errorf("of what is damaged: %+v, told %d times", hurt, found["hurt"])
	}
}

// unreadable is a Part that gives nothing.
type unreadable struct{ asked int }

func (*unreadable) Name() string { return "unreadable" }

func (u *unreadable) Next(context.Context) (int, bool, error) {
	u.asked++
	return 0, true, errors.New("too many open files")
}

// TestScrubRestsWhereNothingCanBeRead: it would ask again at once, and fill the log.
func TestScrubRestsWhereNothingCanBeRead(t *testing.T) {
	u, told := &unreadable{}, make(chan string, 100)
	s := NewScrub(ScrubConfig{
		Parts: []Part{u, &pieces{name: "whole", count: 50}}, Rest: time.Hour, Rate: 1 << 30,
		Found: func(part string, _ error) { told <- part },
	})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	eventually(t, "a pass over what can be read", func() bool { return s.Status()[1].Passes == 1 })
	cancel()
	running.Wait()
	if u.asked != 1 || len(told) != 1 {
		t.Errorf("asked %d times, told %d times, want once", u.asked, len(told))
	}
}

// TestScrubIsSlow: after a piece it waits as long as its bytes take at the rate; here, for ever.
func TestScrubIsSlow(t *testing.T) {
	looked := make(chan struct{}, 100)
	s := NewScrub(ScrubConfig{Parts: []Part{&counted{looked}}, Rate: 1, Found: func(string, error) {}})
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	<-looked
	cancel()
	running.Wait()
	if len(looked) > 0 {
		t.Errorf("it looked at %d pieces more", len(looked))
	}
}

type counted struct{ looked chan struct{} }

func (c *counted) Name() string { return "counted" }

func (c *counted) Next(context.Context) (int, bool, error) {
	c.looked <- struct{}{}
	return 1 << 20, true, nil
}
