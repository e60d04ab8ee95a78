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
		to, err := a.newWholeFile(args[0], force)
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
		status, endpoint, err := chooseSource(lookAround(wait, c), from, least)
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

// lookAround asks all members how they are. One that does not answer must not hold up the others for long.
func lookAround(ctx context.Context, c *client.Client) []client.MemberStatus {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	return c.Operator().StatusOfAll(ctx)
}

// backupWait is the least time that is waited for a member to have a snapshot.
const backupWait = 2 * time.Minute

// chooseSource is the member to copy from: the named one, or a follower, one that does not vote first; a leader only where it is
// alone. The error says what is waited for.
func chooseSource(answers []client.MemberStatus, from string, least uint64) (found *ballastv1.StatusResponse, endpoint string, err error) {
	err = errors.New("expected a follower to copy from, found none that answers: ballast status; --from NAME takes any member, the leader too")
	if from != "" {
		err = fmt.Errorf("expected member %q to copy from, found none of that name that answers", from)
	}
	best := 0
	for _, m := range answers {
		s := m.Status
		if s == nil || from != "" && s.GetName() != from {
			continue
		}
		rank := sourceRank(s)
		switch {
		case from == "" && rank == 0:
			continue
		case s.GetSnapshot().GetIndex() < max(least, 1):
			err = fmt.Errorf("%s has no snapshot of index %d or later yet", s.GetName(), max(least, 1))
			continue
		case s.GetJournal().GetHoles() > 0:
			err = fmt.Errorf("%s still fetches entries of its journal from other members", s.GetName())
			continue
		}
		if found == nil || rank > best {
			found, endpoint, best = s, m.Endpoint, rank
		}
	}
	if found == nil {
		return nil, "", err
	}
	return found, endpoint, nil
}

// sourceRank is how good a member is to be copied from; 0: it leads others.
func sourceRank(s *ballastv1.StatusResponse) int {
	if s.GetRaftState() == ballastv1.RaftState_RAFT_STATE_LEADER && len(s.GetMembers()) > 1 {
		return 0
	}
	for _, m := range s.GetMembers() {
		if m.GetName() == s.GetName() && m.GetRole() == ballastv1.Role_ROLE_NON_VOTER {
			return 2
		}
	}
	return 1
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
