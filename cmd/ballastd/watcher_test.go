package main

import (
	"strings"
	"sync"
)

// watcher is a writer that tells when a text has been written.
type watcher struct {
	text string
	seen chan struct{}

	mu   sync.Mutex
	all  strings.Builder
	told bool
}

func newWatcher(text string) *watcher { return &watcher{text: text, seen: make(chan struct{})} }

func (w *watcher) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Write(b)
	if !w.told && strings.Contains(w.all.String(), w.text) {
		w.told = true
		close(w.seen)
	}
	return len(b), nil
}

func (w *watcher) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.all.String()
}
