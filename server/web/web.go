// Package web is what a member answers by HTTP, on its operator address beside gRPC: metrics, whether it lives and is
// ready, and profiles. docs/metrics.md tells operators about it; docs/decisions/ why it has no address of its own.
package web

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/access"
)

const (
	maxHeaderBytes = 16 << 10
	idleTimeout    = time.Minute
)

// Config of the pages.
type Config struct {
	// Metrics answers a scrape.
	Metrics http.Handler
	// Live and Ready list why the member is not, in words; nothing: it is.
	Live, Ready func() []string
	// Notes are what to say of a member that is ready all the same; nil: nothing.
	Notes func() []string
	// Guard checks callers; Caller says who one is. Caller nil: there is no TLS, and everybody may look at everything.
	Guard  *access.Guard
	Caller func(*tls.ConnectionState) (tlsauth.Identity, error)
	Logger hclog.Logger
}

// Server returns the HTTP server of the pages. Its owner serves and shuts it down.
func Server(cfg Config) *http.Server {
	return &http.Server{
		Handler:           Handler(cfg),
		ReadHeaderTimeout: helloTimeout,
		ReadTimeout:       helloTimeout,
		// No WriteTimeout: a profile takes as long as it is asked to.
		IdleTimeout:    idleTimeout,
		MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:       cfg.Logger.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug}),
	}
}

// Handler are the pages.
func Handler(cfg Config) http.Handler {
	mux := http.NewServeMux()
	for path, page := range map[string]http.Handler{
		access.PageMetrics:                cfg.Metrics,
		access.PageLive:                   answer("live", cfg.Live, nil),
		access.PageReady:                  answer("ready", cfg.Ready, cfg.Notes),
		access.PageProfiles:               http.HandlerFunc(pprof.Index),
		access.PageProfiles + "cmdline":   http.HandlerFunc(pprof.Cmdline),
		access.PageProfiles + "profile":   http.HandlerFunc(pprof.Profile),
		access.PageProfiles + "symbol":    http.HandlerFunc(pprof.Symbol),
		access.PageProfiles + "trace":     http.HandlerFunc(pprof.Trace),
		access.PageProfiles + "goroutine": pprof.Handler("goroutine"),
	} {
		mux.Handle("GET "+path, cfg.guarded(page))
	}
	return mux
}

// guarded answers those who may look.
func (c Config) guarded(page http.Handler) http.Handler {
	if c.Caller == nil {
		return page
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, refused := c.Caller(r.TLS)
		if err := c.Guard.CheckPage(r.URL.Path, r.RemoteAddr, caller, refused); err != nil {
			code := http.StatusForbidden
			if refused != nil {
				code = http.StatusUnauthorized
			}
			http.Error(w, err.Error(), code)
			return
		}
		page.ServeHTTP(w, r)
	})
}

// answer is 200, a word and what there is to say besides, or 503 and the reasons why not, one a line.
func answer(word string, why, besides func() []string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		if reasons := why(); len(reasons) > 0 {
			w.WriteHeader(http.StatusServiceUnavailable)
			write(w, fmt.Sprintf("not %s\n%s\n", word, strings.Join(reasons, "\n")))
			return
		}
		write(w, word+"\n")
		if besides == nil {
			return
		}
		for _, note := range besides() {
			write(w, note+"\n")
		}
	})
}

// write answers; a caller that is gone is nobody's concern.
func write(w io.Writer, text string) { _, _ = io.WriteString(w, text) }
