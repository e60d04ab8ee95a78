package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/ballastdb/ballast/internal/diskspace"
)

// maxSize is the largest size, 1 PiB.
const maxSize = 1 << 50

// units of sizes, the longest first.
var units = []struct { //nolint:gochecknoglobals // a table
	name  string
	bytes int64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"", 1}}

// size reads bytes, with or without a unit, or "auto".
func size(field func(*Config) *int64) func(*Config, string) error {
	return func(c *Config, v string) error {
		if v == "auto" {
			*field(c) = diskspace.Auto
			return nil
		}
		for _, unit := range units {
			text, ok := strings.CutSuffix(v, unit.name)
			if !ok {
				continue
			}
			n, err := strconv.ParseInt(text, 10, 64)
			if err != nil || n < 0 || n > maxSize/unit.bytes {
				break
			}
			*field(c) = n * unit.bytes
			return nil
		}
		return fmt.Errorf("expected auto, 0, or a size in whole KiB, MiB, GiB or TiB up to 1024TiB, such as 512MiB")
	}
}
