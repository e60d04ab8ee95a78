package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/server/node"
)

func configCommand(io stdio) *cobra.Command {
	noun := &cobra.Command{
		Use:   "config",
		Short: "Look at the configuration without running the member",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	noun.AddCommand(configCheckCommand(io), configShowCommand(io))
	return noun
}

func configCheckCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check [--config FILE]",
		Short: "Say whether ballastd run would accept this configuration and its certificates",
		Long: "Say whether ballastd run would accept this configuration: the file, environment and flags, and the\n" +
			"certificates that it names; and what differs from the last good run. Nothing is written or started. Exits\n" +
			"78 where it would not be accepted, and says all that is wrong.",
		Args: cobra.NoArgs,
	}
	load := configFlags(cmd, io)
	cmd.RunE = func(*cobra.Command, []string) error {
		loaded, store, err := check(load)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(io.out, "the configuration is right"); err != nil {
			return failed(err)
		}
		if err := showDrift(io.out, loaded); err != nil {
			return failed(err)
		}
		if store != nil {
			_, err = fmt.Fprintf(io.out, "certificate: %s, ends %s\n", store.Identity().URI(), store.Certificate().NotAfter.UTC().Format("2006-01-02"))
			return failed(err)
		}
		_, err = fmt.Fprintf(io.out, "no TLS: only loopback addresses are served (%s, %s, %s)\n",
			loaded.ClientAddress, loaded.MemberAddress, loaded.OperatorAddress)
		return failed(err)
	}
	return cmd
}

func configShowCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show [--config FILE]",
		Short: "Show every effective value and where it comes from",
		Args:  cobra.NoArgs,
	}
	load := configFlags(cmd, io)
	cmd.RunE = func(*cobra.Command, []string) error {
		loaded, err := load()
		if err != nil {
			return err
		}
		return failed(showValues(io.out, loaded.Values))
	}
	return cmd
}

// check does what run does before it touches the data directory.
func check(load func() (*config.Loaded, error)) (*config.Loaded, *tlsauth.Store, error) {
	loaded, err := load()
	if err != nil {
		return nil, nil, err
	}
	store, err := node.OpenTLS(loaded.Config)
	return loaded, store, err
}

// showDrift shows what differs from the last good run, where there was one.
func showDrift(out io.Writer, loaded *config.Loaded) error {
	last, err := datadir.ReadLastRun(loaded.DataDir)
	if err != nil {
		_, err = fmt.Fprintf(out, "what was configured at the last good run cannot be read: %v\n", err)
		return err
	}
	if last.At.IsZero() {
		return nil
	}
	for _, d := range config.Drift(loaded.Values, last.Config) {
		_, err = fmt.Fprintf(out, "differs from the last good run (%s): %s was %q, is %q (%s)\n",
			last.At.UTC().Format(time.RFC3339), d.Key, d.Was, d.Text, d.Origin)
		if err != nil {
			return err
		}
	}
	return nil
}

func showValues(out io.Writer, values []config.Value) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY\tVALUE\tORIGIN")
	for _, v := range values {
		text := v.Text
		if text == "" {
			text = "-"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", v.Key, text, v.Origin)
	}
	return table.Flush()
}
