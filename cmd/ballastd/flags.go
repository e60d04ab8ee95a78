package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/config"
)

// configFlags gives a verb the flags of the configuration and returns what loads it; it can be called again.
func configFlags(cmd *cobra.Command, io stdio) (load func() (*config.Loaded, error)) {
	var file string
	cmd.Flags().StringVar(&file, "config", "", "configuration file (TOML)")
	for _, key := range config.Keys() {
		// The default stands in the help and not in the flag: a flag that was not given must not win.
		help := key.Help
		if key.Default != "" {
			help += " (default " + key.Default + ")"
		}
		cmd.Flags().String(key.Flag(), "", help)
	}
	return func() (*config.Loaded, error) {
		return config.Load(config.Input{File: file, Flags: given(cmd.Flags()), LookupEnv: io.lookupEnv})
	}
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
