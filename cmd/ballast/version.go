package main

import (
	"runtime"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/version"
)

type versionView struct {
	Version  string `json:"version"`
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
			v := versionView{Version: version.String(), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
			grid := &render.Grid{Columns: []render.Column{{Name: "version"}, {Name: "go"}, {Name: "platform"}}}
			grid.Add(v.Version, v.Go, v.Platform)
			return a.write(grid, v)
		},
	}
}
