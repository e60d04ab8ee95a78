package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/clusterplan"
	"github.com/ballastdb/ballast/internal/render"
)

func newClusterPlanCommand(a *app) *cobra.Command {
	var o clusterplan.Options
	var hosts string
	cmd := &cobra.Command{
		Use:   "plan --name NAME --hosts A,B,C --out DIR",
		Short: "Write what each host of a new cluster needs",
		Long: "Write a folder for each host of a new cluster: its configuration, its certificate and key, and a README\n" +
			"with the commands in order; and one for the operator, who forms the cluster. OUT/authority makes\n" +
			"certificates of every role: keep it off the hosts. Talks to no member. Run again with the same name and\n" +
			"hosts it makes what is missing and changes nothing that is there.",
		Example: "  ballast cluster plan --name bank --hosts 10.0.0.1,10.0.0.2,10.0.0.3 --out plan",
		Args:    args(),
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		if o.Name == "" || hosts == "" || o.Out == "" {
			return usagef("--name, --hosts and --out are needed: the cluster's name, the hosts' addresses, the plan's directory")
		}
		for host := range strings.SplitSeq(hosts, ",") {
			o.Hosts = append(o.Hosts, strings.TrimSpace(host))
		}
		plan, err := clusterplan.Write(o)
		if err != nil {
			return err
		}
		a.note("%s/authority makes certificates of every role: keep it off the hosts. Begin with the README.md of each host's folder, "+
			"then that of %s/operator", o.Out, o.Out)
		g := &render.Grid{Columns: []render.Column{{Name: "folder"}, {Name: "host"}}}
		for i, host := range plan.Hosts {
			g.Add(fmt.Sprintf("%s/%s-%d", o.Out, plan.Name, i+1), host)
		}
		return a.write(g, plan)
	}
	flags := cmd.Flags()
	flags.StringVar(&o.Name, "name", "", "the cluster's `name`; members are NAME-1, NAME-2 and so on")
	flags.StringVar(&hosts, "hosts", "", "`hosts` at which the members are reached, comma-separated")
	flags.StringVar(&o.Out, "out", "", "`directory` of the plan")
	flags.BoolVar(&o.InPlace, "in-place", false, "members run in their folders, without the package: to try it on one machine")
	return cmd
}
