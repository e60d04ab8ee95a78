package main

import (
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/devtools/compare"
)

// compareCommand is the verb that compares with the floors. The clients of peers are not in this module: make bench-peers
// builds tools/peers, which is this verb with them.
func compareCommand(io stdio) *cobra.Command {
	return compare.Front{Out: io.out, Err: io.err}.Command()
}
