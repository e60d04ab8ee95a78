package main

import (
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/internal/recentlog"
	"github.com/ballastdb/ballast/internal/systemd"
	"github.com/ballastdb/ballast/server/node"
)

func runCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "run [--config FILE] [--data-dir D]",
		Short: "Run the member whose data directory is D until SIGTERM or SIGINT",
		Long: "Run the member whose data directory is D until SIGTERM or SIGINT. SIGHUP reads the configuration and the\n" +
			"certificates again: renewed certificates and log_level take effect at once, the log says what was done.",
		Args: cobra.NoArgs,
	}
	load := configFlags(cmd, io)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := load()
		if err != nil {
			return err
		}
		certificates, err := node.OpenTLS(loaded.Config)
		if err != nil {
			return err
		}
		recent := recentlog.New(recentLogBytes)
		logger := newLogger(loaded.Config, io, recent)
		for _, v := range loaded.Values {
			logger.Debug("configured", "key", v.Key, "value", v.Text, "origin", v.Origin)
		}
		r := &reloader{logger: logger, load: load, running: slices.Clone(loaded.Values), certificates: certificates}
		defer r.onHangup()()
		return failed(node.Run(cmd.Context(), node.Options{
			Config: loaded.Config, Values: loaded.Values, Configured: r.configured,
			TLS: certificates, Logger: logger, RecentLog: recent.Lines,
			Systemd: systemd.FromEnvironment(logger.Named("systemd")),
			Fatal: func(err error) {
				code := exitCode(failed(err))
				if code == exitConfig {
					logger.Error("fatal: this process ends now; starting it again does not help", "error", err)
				} else {
					logger.Error("fatal: this process ends now; starting it again is safe", "error", err)
				}
				os.Exit(code)
			},
		}))
	}
	return cmd
}

// recentLogBytes of the newest lines are kept for a debug bundle: some thousand.
const recentLogBytes = 1 << 20

// newLogger logs as configured, and keeps what is of level info and above besides.
func newLogger(c config.Config, io stdio, recent *recentlog.Ring) hclog.Logger {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{
		Name:       "ballastd",
		Level:      hclog.LevelFromString(c.LogLevel),
		Output:     io.err,
		JSONFormat: c.LogFormat == "json",
	})
	// Not below: what is told of single calls at debug may name accounts.
	logger.RegisterSink(recent.Sink(hclog.Info))
	return logger
}
