// Package docblocks finds what a page of the documentation tells people to type, and where: a fenced block whose info string
// is "sh PLACE..." is run by bash at each place, in that order.
package docblocks

import (
	"regexp"
	"strings"
)

// Places that are no hosts of a cluster: where the person works who reads, and a machine on which everything is tried.
const (
	Workstation = "workstation"
	Trial       = "trial"
)

// Block is one block of commands.
type Block struct {
	Places []string // empty: nobody runs it
	Text   string
}

// Of answers the blocks of a page in order. Blocks of other languages are left out.
func Of(page string) []Block {
	var blocks []Block
	for _, m := range regexp.MustCompile("(?ms)^```sh( [^\n]*)?\n(.*?)^```").FindAllStringSubmatch(page, -1) {
		blocks = append(blocks, Block{Places: strings.Fields(m[1]), Text: m[2]})
	}
	return blocks
}
