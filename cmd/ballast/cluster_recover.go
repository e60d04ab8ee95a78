package main

import (
	"github.com/spf13/cobra"
)

func newClusterRecoverCommand(a *app) *cobra.Command {
	var config, dir, phrase string
	var compare []string
	cmd := &cobra.Command{
		Use:   "recover --config FILE [--compare DIR]... [--phrase P]",
		Short: "Have a stopped member go on alone, where the majority is lost for good",
		Long: "Have the stopped member on this machine that a configuration names go on as the only member of its\n" +
			"cluster, where the majority is lost for good. Without --phrase it says what may be lost and which phrase\n" +
			"it needs, and changes nothing. Disks of other stopped members are compared with --compare: one that has\n" +
			"more is to be recovered instead. Run it as the user that ballastd runs as. It is ballastd recover, which\n" +
			"is looked for beside ballast, then on PATH.",
		Example: "  sudo -u ballast ballast cluster recover --config /etc/ballast/ballastd.toml",
		Args:    args(),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if config == "" && dir == "" {
			return usagef("--config is missing: the configuration file of the stopped member, on this machine; or --data-dir")
		}
		run := []string{"recover"}
		for _, f := range []struct{ name, value string }{{"--config", config}, {"--data-dir", dir}, {"--phrase", phrase}} {
			if f.value != "" {
				run = append(run, f.name, f.value)
			}
		}
		for _, other := range compare {
			run = append(run, "--compare", other)
		}
		return a.execDaemon(cmd.Context(), run...)
	}
	cmd.Flags().StringVar(&config, "config", "", "the stopped member's configuration `file`")
	cmd.Flags().StringVar(&dir, "data-dir", "", "its data `directory`, where no configuration names it")
	cmd.Flags().StringArrayVar(&compare, "compare", nil, "data `directory` of another stopped member; may be repeated")
	cmd.Flags().StringVar(&phrase, "phrase", "", "the phrase that this recovery needs, exactly")
	return cmd
}
