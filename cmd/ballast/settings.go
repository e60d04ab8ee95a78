package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// setting is one replicated setting as people write it. The bounds are the cluster's: it refuses what is out of them.
type setting struct {
	name, unit string
	get        func(*ballastv1.Settings) string
	set        func(*ballastv1.Settings, string) error
}

func allSettings() []setting {
	type all = ballastv1.Settings
	return []setting{
		durationSetting("id_window", "duration, such as 168h", func(s *all) **durationpb.Duration { return &s.IdWindow }),
		numberSetting("id_budget_bytes", "bytes", func(s *all) **uint64 { return &s.IdBudgetBytes }),
		number32Setting("refused_share_percent", "percent", func(s *all) **uint32 { return &s.RefusedSharePercent }),
		number32Setting("checkpoint_interval", "log entries", func(s *all) **uint32 { return &s.CheckpointInterval }),
		numberSetting("log_retention_bytes", "bytes", func(s *all) **uint64 { return &s.LogRetentionBytes }),
		durationSetting("log_retention_time", "duration, such as 1h", func(s *all) **durationpb.Duration { return &s.LogRetentionTime }),
		numberSetting("log_pin_bytes", "bytes", func(s *all) **uint64 { return &s.LogPinBytes }),
		numberSetting("snapshot_min_log_bytes", "bytes", func(s *all) **uint64 { return &s.SnapshotMinLogBytes }),
		numberSetting("snapshot_max_log_bytes", "bytes", func(s *all) **uint64 { return &s.SnapshotMaxLogBytes }),
		number32Setting("max_transfers", "snapshots at once", func(s *all) **uint32 { return &s.MaxTransfers }),
		numberSetting("transfer_rate", "bytes a second", func(s *all) **uint64 { return &s.TransferRate }),
		numberSetting("backfill_rate", "bytes a second", func(s *all) **uint64 { return &s.BackfillRate }),
	}
}

func durationSetting(name, unit string, field func(*ballastv1.Settings) **durationpb.Duration) setting {
	return setting{
		name, unit,
		func(s *ballastv1.Settings) string { return (*field(s)).AsDuration().String() },
		func(s *ballastv1.Settings, text string) error {
			d, err := time.ParseDuration(text)
			*field(s) = durationpb.New(d)
			return err
		},
	}
}

func numberSetting(name, unit string, field func(*ballastv1.Settings) **uint64) setting {
	return setting{
		name, unit,
		func(s *ballastv1.Settings) string { return formatNumber(*field(s)) },
		func(s *ballastv1.Settings, text string) (err error) {
			*field(s), err = parseNumber[uint64](text, 64)
			return err
		},
	}
}

func number32Setting(name, unit string, field func(*ballastv1.Settings) **uint32) setting {
	return setting{
		name, unit,
		func(s *ballastv1.Settings) string { return formatNumber(*field(s)) },
		func(s *ballastv1.Settings, text string) (err error) {
			*field(s), err = parseNumber[uint32](text, 32)
			return err
		},
	}
}

// formatNumber shows what a cluster of an older version does not tell as nothing.
func formatNumber[N uint32 | uint64](n *N) string {
	if n == nil {
		return "-"
	}
	return strconv.FormatUint(uint64(*n), 10)
}

func parseNumber[N uint32 | uint64](text string, bits int) (*N, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	value := N(n)
	return &value, err
}

// settingLines are the settings with their units, a line each.
func settingLines() string {
	var lines []string
	for _, s := range allSettings() {
		lines = append(lines, fmt.Sprintf("  %-24s%s", s.name, s.unit))
	}
	return strings.Join(lines, "\n")
}

func settingNames() string {
	var names []string
	for _, s := range allSettings() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// parseSettings reads NAME=VALUE arguments.
func parseSettings(assignments []string) (*ballastv1.Settings, error) {
	wanted := &ballastv1.Settings{}
	seen := map[string]bool{}
	for _, assignment := range assignments {
		name, value, found := strings.Cut(assignment, "=")
		if !found {
			return nil, usagef("%s: expected NAME=VALUE", assignment)
		}
		if seen[name] {
			return nil, usagef("%s is given twice", name)
		}
		seen[name] = true
		known := false
		for _, s := range allSettings() {
			if s.name != name {
				continue
			}
			known = true
			if err := s.set(wanted, value); err != nil {
				return nil, usagef("%s: expected %s, found %q", name, s.unit, value)
			}
		}
		if !known {
			return nil, usagef("there is no setting %q; there are %s", name, settingNames())
		}
	}
	return wanted, nil
}

func newSettingsGetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "get [NAME]",
		Short:   "Show the replicated settings",
		Example: "  ballast settings get\n  ballast settings get id_window",
		Args:    args("[NAME]"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		name := ""
		if len(args) == 1 {
			name = args[0]
			if !strings.Contains(", "+settingNames()+",", ", "+name+",") {
				return usagef("there is no setting %q; there are %s", name, settingNames())
			}
		}
		settings, err := c.Operator().Settings(ctx)
		if err != nil {
			return operatorError(err)
		}
		return a.writeSettings(settings, name)
	})
	return cmd
}

func newSettingsSetCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "set NAME=VALUE...",
		Short: "Change replicated settings, all of them or none",
		Long: "Change replicated settings: on every member at the same log index, and kept over restarts. Several are\n" +
			"changed together or not at all. Settings:\n" + settingLines(),
		Example: "  ballast settings set id_window=72h checkpoint_interval=5000",
		Args:    args("NAME=VALUE..."),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		wanted, err := parseSettings(args)
		if err != nil {
			return err
		}
		settings, err := c.Operator().SetSettings(ctx, wanted)
		if err != nil {
			return operatorError(err)
		}
		return a.writeSettings(settings, "")
	})
	return cmd
}

// writeSettings shows all settings, or the one with the name.
func (a *app) writeSettings(settings *ballastv1.Settings, only string) error {
	g := &render.Grid{Columns: []render.Column{{Name: "name"}, {Name: "value"}, {Name: "unit"}}}
	values := map[string]string{}
	for _, s := range allSettings() {
		if only == "" || only == s.name {
			values[s.name] = s.get(settings)
			g.Add(s.name, values[s.name], s.unit)
		}
	}
	return a.write(g, values)
}
