package main

import (
	"context"
	"errors"
	"os/exec"

	"github.com/ballastdb/ballast/internal/render"
)

const dataDirHelp = "look at the data `directory` of a stopped member instead, on this machine"

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
