package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/redact"
	"github.com/ballastdb/ballast/internal/render"
)

// bundleTimeout is the default for collecting from all members.
const bundleTimeout = 2 * time.Minute

func newDebugBundleCommand(a *app) *cobra.Command {
	var force, heap bool
	cmd := &cobra.Command{
		Use:   "bundle FILE [--heap] [--force]",
		Short: "Collect from all members what helps to find a fault, into one file",
		Long: "Collect from every member that answers its status, what it finds when it looks at itself, configuration with\n" +
			"origins, newest log lines, metrics, goroutines and what operators did, and of the cluster its settings with\n" +
			"their history and what the doctor finds, into FILE (.tar.gz). No keys are in it, and nothing of accounts:\n" +
			"docs/debug-bundle.md says what is. Members that do not answer are named in it. FILE appears when all of it is\n" +
			"there; what is there already stays, unless --force. - writes to standard output. --timeout is 2m by default.",
		Example: "  ballast debug bundle ballast-debug.tar.gz",
		Args:    args("FILE"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.timeout = bundleTimeout
		}
		return a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
			if args[0] == "-" && stdoutIsTerminal(a.out) {
				return usagef("-: a bundle is no text: send standard output to a file or another program")
			}
			to, err := a.wholeTarget(args[0], force)
			if err != nil {
				return err
			}
			view, err := a.collect(ctx, c, to.out, heap)
			if err != nil {
				return errors.Join(operatorError(err), to.drop())
			}
			if err := to.keep(force); err != nil {
				return err
			}
			if args[0] == "-" {
				return nil // standard output is the bundle's
			}
			view.File = args[0]
			return a.write(view.grid(), view)
		})(cmd, args)
	}
	cmd.Flags().BoolVar(&heap, "heap", false, "the profile of each member's heap too: where memory was allocated, not what is in it")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE where it exists")
	return cmd
}

// bundleView is a bundle that was made, in JSON.
type bundleView struct {
	File  string `json:"file"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
	// Members that gave all that was asked for, of Listed.
	Members int `json:"members"`
	Listed  int `json:"listed"`
	// Missing is what could not be had, in words.
	Missing []string `json:"missing"`
}

func (v *bundleView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "file"}, {Name: "files", Right: true}, {Name: "bytes", Right: true}, {Name: "members"}}}
	g.Add(v.File, fmt.Sprint(v.Files), fmt.Sprint(v.Bytes), fmt.Sprintf("%d of %d", v.Members, v.Listed))
	return g
}

// bundle is a tar file that is being written. What goes into it passes through one place.
type bundle struct {
	top  string
	at   time.Time
	zip  *gzip.Writer
	tar  *tar.Writer
	view *bundleView
}

func newBundle(to io.Writer, at time.Time) *bundle {
	zip := gzip.NewWriter(to)
	return &bundle{
		top: "ballast-debug-" + at.UTC().Format("20060102T150405Z"), at: at, zip: zip, tar: tar.NewWriter(zip), view: &bundleView{Missing: []string{}},
	}
}

// add adds a file.
func (b *bundle) add(name string, data []byte) error {
	// Members do the same before they send; what this command itself writes has passed nobody else.
	data = redact.PrivateKeys(data)
	header := &tar.Header{Name: b.top + "/" + name, Mode: 0o600, Size: int64(len(data)), ModTime: b.at, Typeflag: tar.TypeReg}
	if err := b.tar.WriteHeader(header); err != nil {
		return err
	}
	_, err := b.tar.Write(data)
	b.view.Files++
	b.view.Bytes += int64(len(data))
	return err
}

// missing notes what could not be had.
func (b *bundle) missing(format string, args ...any) {
	b.view.Missing = append(b.view.Missing, fmt.Sprintf(format, args...))
}

func (b *bundle) close() error { return errors.Join(b.tar.Close(), b.zip.Close()) }
