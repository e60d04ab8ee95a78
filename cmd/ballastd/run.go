package main

import (
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/server/node"
)

func runCommand(io stdio) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "run [--config FILE] [--data-dir D]",
		Short: "Run the member whose data directory is D until SIGTERM or SIGINT",
		Args:  cobra.NoArgs,
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (TOML)")
	for _, key := range config.Keys() {
		// The default stands in the help and not in the flag: a flag that was not given must not win.
		help := key.Help
		if key.Default != "" {
			help += " (default " + key.Default + ")"
		}
		cmd.Flags().String(key.Flag(), "", help)
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		loaded, err := config.Load(config.Input{File: file, Flags: given(cmd.Flags()), LookupEnv: io.lookupEnv})
		if err != nil {
			return err
		}
		logger := newLogger(loaded.Config, io)
		for _, v := range loaded.Values {
			logger.Debug("configured", "key", v.Key, "value", v.Text, "origin", v.Origin)
		}
		return failed(node.Run(cmd.Context(), node.Options{
			Config: loaded.Config,
			Logger: logger,
			Fatal: func(err error) {
				logger.Error("fatal: this process ends now; starting it again is safe", "error", err)
				os.Exit(exitFailed)
			},
		}))
	}
	return cmd
}

// given answers the flags that stand on the command line, by the name of their key.
func given(flags *pflag.FlagSet) map[string]string {
	values := map[string]string{}
	for _, key := range config.Keys() {
		if f := flags.Lookup(key.Flag()); f.Changed {
			values[key.Name] = f.Value.String()
		}
	}
	return values
}

func newLogger(c config.Config, io stdio) hclog.Logger {
	return hclog.New(&hclog.LoggerOptions{
		Name:       "ballastd",
		Level:      hclog.LevelFromString(c.LogLevel),
		Output:     io.err,
		JSONFormat: c.LogFormat == "json",
	})
}
