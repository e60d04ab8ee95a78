package main

import (
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
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
		logger := newLogger(loaded.Config, io)
		for _, v := range loaded.Values {
			logger.Debug("configured", "key", v.Key, "value", v.Text, "origin", v.Origin)
		}
		r := &reloader{logger: logger, load: load, running: slices.Clone(loaded.Values), certificates: certificates}
		defer r.onHangup()()
		return failed(node.Run(cmd.Context(), node.Options{
			Config:  loaded.Config,
			Values:  loaded.Values,
			TLS:     certificates,
			Logger:  logger,
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

func newLogger(c config.Config, io stdio) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       "ballastd",
		Level:      hclog.LevelFromString(c.LogLevel),
		Output:     io.err,
		JSONFormat: c.LogFormat == "json",
	})
}
