package main

import (
	"os"
	"os/signal"
	"slices"
	"sync"
	"syscall"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/node"
)

// reloadable is the key that takes effect without a restart, besides the content of the certificates' files.
const reloadable = "log_level"

// reloader does what SIGHUP asks for. Whatever goes wrong, the member goes on as it was.
type reloader struct {
	logger       hclog.Logger
	load         func() (*config.Loaded, error)
	certificates *tlsauth.Store // nil: no TLS

	mu      sync.Mutex
	running []config.Value // what the member runs with; the reloader's own
}

// onHangup reloads at every SIGHUP until stop is called, which waits.
func (r *reloader) onHangup() (stop func()) {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	var running sync.WaitGroup
	running.Go(func() {
		for range hangups {
			r.reload()
		}
	})
	return func() {
		signal.Stop(hangups)
		close(hangups)
		running.Wait()
	}
}

// reload reads everything again and says what it did.
func (r *reloader) reload() {
	r.logger.Info("reloading: SIGHUP was received")
	r.reloadConfig()
	r.reloadCertificates()
	r.logger.Info("reloaded")
}

func (r *reloader) reloadConfig() {
	loaded, err := r.load()
	if err != nil {
		r.logger.Error("the configuration is refused and nothing of it was reloaded; the member runs on as it was, and would not start again", "error", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, v := range loaded.Values {
		was := r.running[i]
		switch {
		case v.Text == was.Text:
		case v.Key == reloadable:
			r.running[i] = v
			// Told at the lower of both levels: a change that is not told looks like one that did not happen.
			level := hclog.LevelFromString(v.Text)
			r.logger.SetLevel(min(level, hclog.LevelFromString(was.Text)))
			r.logger.Warn("log level changed", "was", was.Text, "is", v.Text, "origin", v.Origin)
			r.logger.SetLevel(level)
		default:
			r.logger.Warn("a changed value takes effect only when the member is started again", "key", v.Key,
				"running", was.Text, "configured", v.Text, "origin", v.Origin)
		}
	}
}

func (r *reloader) reloadCertificates() {
	if r.certificates == nil {
		return
	}
	changed, err := r.certificates.Reload()
	switch {
	case err != nil:
		r.logger.Error("the certificates were not reloaded", "error", err)
	case !changed:
		r.logger.Info("the certificates have not changed")
	default:
		r.logger.Info("the certificates were reloaded: new connections use them")
		node.LogCertificate(r.logger, r.certificates)
	}
}

// configured is what the member runs with, and what it would be started with now, or why that would be refused.
func (r *reloader) configured() (running, next []config.Value, refused error) {
	r.mu.Lock()
	running = slices.Clone(r.running)
	r.mu.Unlock()
	loaded, err := r.load()
	if err != nil {
		return running, nil, err
	}
	return running, loaded.Values, nil
}
