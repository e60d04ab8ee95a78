package importer

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress is told how an import goes on. Methods may be called from many goroutines; Done once, last.
type Progress interface {
	// Start begins the rows.
	Start(total int64)
	// Add says that n more rows were answered.
	Add(n int64)
	// Note says something that a person should know.
	Note(text string)
	// Done ends it.
	Done()
}

type silent struct{}

func (silent) Start(int64) {}
func (silent) Add(int64)   {}
func (silent) Note(string) {}
func (silent) Done()       {}

// NewLines writes progress as plain lines, at most one every two seconds, for what is not a terminal.
func NewLines(out io.Writer) Progress { return &plainLines{out: out, clock: time.Now} }

type plainLines struct {
	out   io.Writer
	clock func() time.Time

	mu          sync.Mutex
	total, done int64
	begun, last time.Time
}

func (p *plainLines) Start(total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total, p.begun, p.last = total, p.clock(), p.clock()
	fmt.Fprintf(p.out, "importing %d rows\n", total)
}

func (p *plainLines) Add(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if now := p.clock(); now.Sub(p.last) >= noteEvery {
		p.last = now
		fmt.Fprintf(p.out, "%d of %d rows, %.0f a second\n", p.done, p.total, float64(p.done)/now.Sub(p.begun).Seconds())
	}
}

func (p *plainLines) Note(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintln(p.out, text)
}

func (p *plainLines) Done() {}

// NewBar draws a progress bar on a terminal.
func NewBar(out io.Writer) Progress { return &bar{out: out} }

type bar struct {
	out io.Writer

	mu  sync.Mutex
	bar *progressbar.ProgressBar
}

func (b *bar) Start(total int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.out), progressbar.OptionSetDescription("importing"),
		progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString("rows"),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth())
}

// A bar that cannot be drawn is no reason to stop an import: errors of drawing are dropped.

func (b *bar) Add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	_ = b.bar.Add64(n)
}

func (b *bar) Note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Clear()
	}
	fmt.Fprintln(b.out, text)
	if b.bar != nil {
		_ = b.bar.RenderBlank()
	}
}

func (b *bar) Done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.bar != nil {
		_ = b.bar.Exit()
		fmt.Fprintln(b.out)
	}
}
