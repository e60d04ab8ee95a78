// Package version tells which build of the program runs.
package version

import (
	"fmt"
	"runtime/debug"
)

// number is the release that this source leads to. Packages set theirs when they are linked (deploy/package.sh).
var number = "0.1.0"

// String is the release, the commit where the build knows it, and the build tags of a build that is not for production.
func String() string {
	s := number
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return s
	}
	settings := map[string]string{}
	for _, setting := range info.Settings {
		settings[setting.Key] = setting.Value
	}
	if revision := settings["vcs.revision"]; len(revision) >= 12 {
		s += "+" + revision[:12]
		if settings["vcs.modified"] == "true" {
			s += ".modified"
		}
	}
	if tags := settings["-tags"]; tags != "" {
		s = fmt.Sprintf("%s (tags %s)", s, tags)
	}
	return s
}
