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
	return []setting{
		{
			"id_window", "duration, such as 168h",
			func(s *ballastv1.Settings) string { return s.GetIdWindow().AsDuration().String() },
			func(s *ballastv1.Settings, text string) error {
				d, err := time.ParseDuration(text)
				s.IdWindow = durationpb.New(d)
				return err
			},
		},
		{
			"id_budget_bytes", "bytes",
			func(s *ballastv1.Settings) string { return strconv.FormatUint(s.GetIdBudgetBytes(), 10) },
			func(s *ballastv1.Settings, text string) error {
				n, err := strconv.ParseUint(text, 10, 64)
				s.IdBudgetBytes = &n
				return err
			},
		},
		{
			"refused_share_percent", "percent",
			func(s *ballastv1.Settings) string { return fmt.Sprint(s.GetRefusedSharePercent()) },
			func(s *ballastv1.Settings, text string) (err error) {
				s.RefusedSharePercent, err = parse32(text)
				return err
			},
		},
		{
			"checkpoint_interval", "log entries",
			func(s *ballastv1.Settings) string { return fmt.Sprint(s.GetCheckpointInterval()) },
			func(s *ballastv1.Settings, text string) (err error) {
				s.CheckpointInterval, err = parse32(text)
				return err
			},
		},
	}
}

func parse32(text string) (*uint32, error) {
	n, err := strconv.ParseUint(text, 10, 32)
	value := uint32(n)
	return &value, err
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
			"changed together or not at all. Settings:\n" + settingNames() + ".",
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
