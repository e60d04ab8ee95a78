// Package manpages writes manual pages from the help of a command line, so that there is one text of both.
package manpages

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// Command is the verb "man DIR", which is for packaging and not in the help: it writes a page for root and each of its
// verbs. fail wraps its errors, but for those of usage.
func Command(fail func(error) error) *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into DIR",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			return fail(write(cmd.Root(), args[0]))
		},
	}
}

func write(root *cobra.Command, dir string) error {
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: expected a directory, found nothing: make it first", dir)
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s: expected a directory, found a file", dir)
	}
	disableTag(root)
	return doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "Ballast", Manual: "Ballast"}, dir)
}

// disableTag leaves out the line that says when a page was made: the same source gives the same page.
func disableTag(cmd *cobra.Command) {
	cmd.DisableAutoGenTag = true
	for _, child := range cmd.Commands() {
		disableTag(child)
	}
}
