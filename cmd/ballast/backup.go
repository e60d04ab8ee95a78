package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/backup"
	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func newBackupCommand(a *app) *cobra.Command {
	var from string
	var force, newest bool
	cmd := &cobra.Command{
		Use:   "backup FILE [--from NAME] [--newest] [--force]",
		Short: "Copy the whole state and its journal into a file",
		Long: "Copy balances, operation ids, settings and the whole journal, as they are at one point of the log, from\n" +
			"a follower into FILE. A snapshot is taken for it first; --newest does without. FILE appears when all of it\n" +
			"is there and was checked; what is there already stays, unless --force. - writes to standard output: only\n" +
			"exit code 0 tells that it is whole. What breaks off is begun anew by repeating the command. The rate is\n" +
			"transfer_rate's (ballast settings). A backup holds every balance and reference: keep it as you keep the\n" +
			"members' disks. --timeout bounds the waits, not the copy.",
		Example: "  ballast backup bank.backup\n  ballast backup verify bank.backup",
		Args:    args("FILE"),
	}
	cmd.RunE = a.connected(func(ctx context.Context, c *client.Client, args []string) error {
		if args[0] == "-" && stdoutIsTerminal(a.out) {
			return usagef("-: a backup is no text: send standard output to a file or another program")
		}
		to, err := a.wholeTarget(args[0], force)
		if err != nil {
			return err
		}
		b, member, err := a.openBackup(ctx, c, from, newest)
		if err != nil {
			return errors.Join(operatorError(err), to.drop())
		}
		defer b.Close()
		view, err := a.copyBackup(b, to)
		if err != nil {
			return errors.Join(operatorError(err), to.drop())
		}
		if err := to.keep(force); err != nil {
			return err
		}
		a.note("%s: index %d, from %s, %s; next: ballast backup verify %s", args[0], view.Index, member, render.Bytes(view.Bytes), args[0])
		if args[0] == "-" {
			return nil // standard output is the backup's
		}
		return a.write(view.grid(), view)
	})
	cmd.Flags().StringVar(&from, "from", "", "the member to copy from by its `name`, the leader too (default: a follower)")
	cmd.Flags().BoolVar(&newest, "newest", false, "copy the member's newest snapshot, without one being taken for it")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE where it exists")
	cmd.AddCommand(newBackupVerifyCommand(a))
	return cmd
}

// backupView is a backup that was taken, in JSON.
type backupView struct {
	backup.About
	File  string `json:"file"`
	Bytes uint64 `json:"bytes"`
}

func (v *backupView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{
		{Name: "file"}, {Name: "index", Right: true}, {Name: "member"}, {Name: "entries", Right: true}, {Name: "bytes", Right: true}, {Name: "digest"},
	}}
	g.Add(v.File, fmt.Sprint(v.Index), v.Member, fmt.Sprint(v.Entries), fmt.Sprint(v.Bytes), v.Digest)
	return g
}

// copyBackup copies what comes, and checks that all of it came.
func (a *app) copyBackup(b *client.Backup, to *wholeFile) (*backupView, error) {
	out := bufio.NewWriterSize(to.out, 1<<20)
	began, said := time.Now(), time.Now()
	bytes := uint64(0)
	about, err := backup.Check(io.TeeReader(b, out), func(read uint64) {
		bytes = read
		if time.Since(said) >= 2*time.Second {
			said = time.Now()
			rate := uint64(float64(read) / time.Since(began).Seconds())
			a.note("%s of about %s, %s/s", render.Bytes(read), render.Bytes(b.Expected), render.Bytes(rate))
		}
	})
	if err == nil {
		err = out.Flush()
	}
	return &backupView{About: about, File: to.path, Bytes: bytes}, err
}

// openBackup finds a member that can give the backup, and asks it.
func (a *app) openBackup(ctx context.Context, c *client.Client, from string, newest bool) (*client.Backup, string, error) {
	wait, cancel := context.WithTimeout(ctx, max(a.timeout, backupWait))
	defer cancel()
	least := uint64(0)
	if !newest {
		a.note("a snapshot is taken on every member")
		var err error
		if least, err = c.Operator().TakeSnapshot(wait); err != nil {
			return nil, "", err
		}
	}
	for {
		status, endpoint, err := chooseSource(lookAround(wait, c), from, backsUp(least))
		if err == nil {
			b, err := c.Operator().Backup(ctx, endpoint, least, from != "")
			return b, status.GetName(), err
		}
		select {
		case <-wait.Done():
			return nil, "", codeError{code: exitUnavailable, err: err}
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// backupWait is the least time that is waited for a member to have a snapshot.
const backupWait = 2 * time.Minute

// backsUp tells whether a member can give a backup of index least or later.
func backsUp(least uint64) func(*ballastv1.StatusResponse) error {
	return func(s *ballastv1.StatusResponse) error {
		if s.GetSnapshot().GetIndex() < max(least, 1) {
			return fmt.Errorf("%s has no snapshot of index %d or later yet", s.GetName(), max(least, 1))
		}
		return wholeJournal(s)
	}
}

func newBackupVerifyCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE",
		Short: "Read all of a backup, and say whether everything in it is right",
		Long: "Read all of a backup and check everything: every checksum, the manifest, the chain of the journal, the\n" +
			"digest, that the state does not contradict itself and that the books sum to zero. No cluster is needed. It\n" +
			"needs the memory that a member with that state needs.",
		Example: "  ballast backup verify bank.backup",
		Args:    args("FILE"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.runDaemon(cmd.Context(), "backup", "verify", args[0])
	}
	return cmd
}

// stdoutIsTerminal tells whether a backup would go to a person's screen.
func stdoutIsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
