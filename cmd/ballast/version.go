package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/render"
)

type versionView struct {
	Version  string `json:"version"`
	Revision string `json:"revision"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show this program's version",
		Example: "  ballast version -o json",
		Args:    args(),
		RunE: func(*cobra.Command, []string) error {
			v := buildVersion()
			grid := &render.Grid{Columns: []render.Column{{Name: "version"}, {Name: "revision"}, {Name: "go"}, {Name: "platform"}}}
			grid.Add(v.Version, v.Revision, v.Go, v.Platform)
			return a.write(grid, v)
		},
	}
}

func buildVersion() versionView {
	v := versionView{Version: "unknown", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			v.Revision = setting.Value
		case setting.Key == "vcs.modified" && setting.Value == "true":
			v.Revision += "+changes"
		}
	}
	return v
}
