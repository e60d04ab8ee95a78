package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/doctor"
	"github.com/ballastdb/ballast/internal/render"
)

// doctorTimeout is the default for a look at all members: a member takes some seconds for its own.
const doctorTimeout = 20 * time.Second

func newClusterDoctorCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is wrong with the cluster, what to do and what not to do",
		Long: "Look at every member, and have every member look at itself and at the others: clocks, disks, certificates,\n" +
			"whether each reaches each, configuration, versions, how many may fail. Says what is wrong in words, what to\n" +
			"do, and what not to do. Changes nothing, and may be run at any time. Exits 1 where there is a warning or\n" +
			"worse, 3 where no member answers or none leads. --timeout is 20s by default.",
		Example: "  ballast cluster doctor\n  ballast cluster doctor -o json | jq '.findings[] | select(.severity == \"critical\")'",
		Args:    args(),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.timeout = doctorTimeout
		}
		return a.bounded(func(ctx context.Context, c *client.Client, _ []string) error {
			evidence, err := a.evidence(ctx, c)
			if err != nil {
				return err
			}
			view := viewDoctor(evidence)
			if err := a.writeDoctor(view); err != nil {
				return err
			}
			return view.verdict()
		})(cmd, args)
	}
	return cmd
}

// verdict is the command's exit code; everything has been said.
func (v *doctorView) verdict() error {
	switch {
	case v.Leader == "":
		return codeError{code: exitUnavailable}
	case v.Worst >= doctor.Warning:
		return codeError{code: exitFailed}
	}
	return nil
}

func (a *app) writeDoctor(v *doctorView) error {
	if a.format != render.Table {
		return a.write(v.grid(), v)
	}
	v.text(a)
	return nil
}

func (v *doctorView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "severity"}, {Name: "check"}, {Name: "member"}, {Name: "what"}, {Name: "do"}, {Name: "do_not"}, {Name: "page"},
	}}
	for _, f := range v.Findings {
		g.Add(f.Severity.String(), f.Check, f.Member, f.What, f.Do, f.DoNot, f.Page)
	}
	return g
}

// text says it for people: sentences are too long for a table.
func (v *doctorView) text(a *app) {
	answered, examined := 0, 0
	for _, m := range v.Members {
		if m.Answered {
			answered++
		}
		if m.Examined {
			examined++
		}
	}
	for _, f := range v.Findings {
		about := f.Check
		if f.Member != "" {
			about = f.Member + ", " + f.Check
		}
		fmt.Fprintf(a.out, "%s (%s): %s\n", strings.ToUpper(f.Severity.String()), about, f.What)
		fmt.Fprintf(a.out, "    do:     %s\n    do not: %s\n", f.Do, strings.TrimPrefix(f.DoNot, "do not "))
		if f.Page != "" {
			fmt.Fprintf(a.out, "    see:    %s\n", f.Page)
		}
	}
	found := "nothing is wrong"
	if len(v.Findings) > 0 {
		found = fmt.Sprintf("%d found, the worst %s", len(v.Findings), v.Worst)
	}
	fmt.Fprintf(a.out, "%d of %d members answered, %d looked at themselves and at the others: %s\n", answered, len(v.Members), examined, found)
}
