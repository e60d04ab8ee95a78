package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/forming"
)

// membersTimeout is the default for changes that wait until a member has the whole state.
const membersTimeout = 30 * time.Minute

// sayEvery is the least time between two lines of progress.
const sayEvery = time.Second

// patient runs a verb that waits for a member, by default for as long as a state takes to copy.
func (a *app) patient(do verb) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.timeout = membersTimeout
		}
		return a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
			err := do(ctx, c, args)
			if err != nil && ctx.Err() != nil {
				a.note("the wait has ended, and nothing is harmed by that: repeat the command to go on")
			}
			return operatorError(err)
		})(cmd, args)
	}
}

// say tells progress.
func (a *app) say() forming.Say {
	return forming.Slowly(func(text string) { a.note("%s", text) }, sayEvery)
}

// showMembership shows what became of a member.
func (a *app) showMembership(name, role string) error {
	view := membershipView{Name: name, Role: role}
	return a.write(view.grid(), view)
}
