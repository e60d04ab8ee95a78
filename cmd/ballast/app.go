package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

const (
	defaultEndpoints = "127.0.0.1:7401,127.0.0.1:7402,127.0.0.1:7403"
	defaultTimeout   = 5 * time.Second
)

func endpointsFromEnvironment() string {
	if endpoints := os.Getenv("BALLAST_ENDPOINTS"); endpoints != "" {
		return endpoints
	}
	return defaultEndpoints
}

// app is what the verbs of one run share.
type app struct {
	stdio
	output    string
	endpoints string
	timeout   time.Duration
	// ca, cert and key are the files of TLS: all, or none.
	ca, cert, key string

	format render.Format
	client *client.Client
}

func (a *app) checkFlags() (err error) {
	if a.format, err = render.ParseFormat(a.output); err != nil {
		return usagef("%v", err)
	}
	if a.timeout <= 0 {
		return usagef("--timeout %s: it must be positive, such as 5s", a.timeout)
	}
	if given := []string{a.ca, a.cert, a.key}; slices.Contains(given, "") && strings.Join(given, "") != "" {
		return usagef("--ca %q, --cert %q, --key %q: give all three, or none", a.ca, a.cert, a.key)
	}
	return nil
}

// connect returns the run's client.
func (a *app) connect() (*client.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	var endpoints []string
	for endpoint := range strings.SplitSeq(a.endpoints, ",") {
		if endpoint = strings.TrimSpace(endpoint); endpoint != "" {
			endpoints = append(endpoints, endpoint)
		}
	}
	options := []client.Option{client.WithTimeout(a.timeout)}
	if a.ca != "" {
		options = append(options, client.WithTLS(a.ca, a.cert, a.key))
	}
	c, err := client.New(endpoints, options...)
	if err != nil {
		if a.ca != "" {
			return nil, usagef("--endpoints %q, --ca %s, --cert %s, --key %s: %v", a.endpoints, a.ca, a.cert, a.key, err)
		}
		return nil, usagef("--endpoints %q: %v", a.endpoints, err)
	}
	a.client = c
	return c, nil
}

func (a *app) close() {
	if a.client != nil {
		_ = a.client.Close() // the run is over; nothing depends on it
	}
}

// verb is the body of a command that talks to the cluster.
type verb func(ctx context.Context, c *client.Client, args []string) error

// bounded runs a verb with a client, all of it within --timeout.
func (a *app) bounded(do verb) func(*cobra.Command, []string) error {
	return a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		ctx, cancel := context.WithTimeout(ctx, a.timeout)
		defer cancel()
		return do(ctx, c, args)
	})
}

// connected runs a verb with a client; every call is bounded by --timeout, the verb as a whole is not.
func (a *app) connected(do verb) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		return do(cmd.Context(), c, args)
	}
}

// write writes what a verb found.
func (a *app) write(grid *render.Grid, value any) error {
	return render.Write(a.out, a.format, grid, value)
}

// note tells a person something beside the output.
func (a *app) note(format string, args ...any) { fmt.Fprintf(a.err, format+"\n", args...) }
