package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/upgrade"
)

func newClusterUpgradeCommand(a *app) *cobra.Command {
	o := upgrade.Options{}
	cmd := &cobra.Command{
		Use:   "upgrade --to VERSION",
		Short: "Walk the cluster to another version of the program",
		Long: "Walk the cluster to another version of the program, one member at a time: it says what to run on which\n" +
			"host, waits until that member runs the new version and the cluster is whole again, and goes on; the leader\n" +
			"comes last and hands over before. Then it raises the cluster version as far as every member's program\n" +
			"goes, after which there is no way back to the old one. It installs nothing by itself. Interrupted, it\n" +
			"goes on where it was when it is repeated. --timeout bounds the whole, 30m0s by default.",
		Example: "  ballast cluster upgrade --to 0.2.0",
		Args:    args(),
	}
	cmd.RunE = a.patient(func(ctx context.Context, c *client.Client, _ []string) error {
		if o.To == "" {
			return usagef("--to is missing: the version of the package that every member is to run, such as 0.2.0")
		}
		if o.Command == "" {
			o.Command = fmt.Sprintf("dpkg -i ballast_%s_*.deb && systemctl restart ballastd", o.To)
		}
		o.Say = a.say()
		result, err := upgrade.Run(ctx, c.Operator(), o)
		if err != nil {
			return err
		}
		view := clusterVersionView{Program: o.To, Before: result.Before, Version: result.After}
		return a.write(view.grid(), view)
	})
	flags := cmd.Flags()
	flags.StringVar(&o.To, "to", "", "`version` of the package that every member is to run")
	flags.StringVar(&o.Command, "command", "", "`command` to say for each host; by default dpkg's of the package, and a restart")
	flags.BoolVar(&o.KeepClusterVersion, "keep-cluster-version", false, "do not raise the cluster version: the old program can be put back")
	return cmd
}

// clusterVersionView is the cluster version in JSON.
type clusterVersionView struct {
	// Program is the version that every member runs; empty: not looked at.
	Program string `json:"program,omitempty"`
	Before  uint32 `json:"cluster_version_before"`
	Version uint32 `json:"cluster_version"`
}

func (v clusterVersionView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "program"}, {Name: "cluster_version_before", Right: true}, {Name: "cluster_version", Right: true}}}
	g.Add(v.Program, fmt.Sprint(v.Before), fmt.Sprint(v.Version))
	return g
}
