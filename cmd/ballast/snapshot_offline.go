package main

import (
	"context"
	"errors"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/render"
)

const dataDirHelp = "look at the data `directory` of a stopped member instead, on this machine"

func newSnapshotInspectCommand(a *app) *cobra.Command {
	return offlineSnapshotVerb(a, "inspect", "Show the tables and packs of a stopped member's newest snapshot",
		"Show the tables and packs of the newest snapshot in a stopped member's data directory. Nothing is changed. Of\n"+
			"members that run, ballast snapshot list shows the newest.")
}

func newSnapshotVerifyCommand(a *app) *cobra.Command {
	return offlineSnapshotVerb(a, "verify", "Read all of a stopped member's newest snapshot and its journal",
		"Read every page of the newest snapshot, and the whole journal, in a stopped member's data directory, and say\n"+
			"exactly what is damaged and what to do. Nothing is changed. Exits 1 where anything is. Members that run check\n"+
			"theirs all the time: ballast status -o json, scrubs.")
}

// offlineSnapshotVerb has ballastd look: it alone knows what is on a disk.
func offlineSnapshotVerb(a *app, name, short, long string) *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use: name + " --data-dir DIR", Short: short, Long: long, Args: args(),
		Example: "  ballast snapshot " + name + " --data-dir /var/lib/ballast",
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if dir == "" {
			return usagef("--data-dir is missing: the data directory of a stopped member; of members that run: ballast snapshot list, ballast status")
		}
		return a.lookOffline(cmd.Context(), name, dir)
	}
	cmd.Flags().StringVar(&dir, "data-dir", "", "the data `directory` of a stopped member, on this machine")
	return cmd
}

// lookOffline has ballastd look.
func (a *app) lookOffline(ctx context.Context, verb, dir string) error {
	return a.runDaemon(ctx, "snapshot", verb, "--data-dir", dir)
}

// runDaemon has ballastd do what it alone can, with the output format of this run.
func (a *app) runDaemon(ctx context.Context, args ...string) error {
	format := string(a.format)
	if format == "" {
		format = string(render.Table)
	}
	return a.execDaemon(ctx, append(args, "-o", format)...)
}

// execDaemon has ballastd do it; it says itself what is wrong.
func (a *app) execDaemon(ctx context.Context, args ...string) error {
	daemon, err := findDaemon()
	if err != nil {
		return codeError{code: exitFailed, err: err}
	}
	cmd := exec.CommandContext(ctx, daemon, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = a.in, a.out, a.err
	err = cmd.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return codeError{code: exitFailed}
	}
	return err
}
