package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/server/node"
)

func restoreCommand(io stdio) *cobra.Command {
	var file, dir, cluster, name, logStore, memberAddress string
	cmd := &cobra.Command{
		Use:   "restore FILE [--config FILE] [--data-dir D] [--log-store K] [--member-address A] --cluster-id UUID --name NAME",
		Short: "Make the first member of a new cluster out of a backup",
		Long: "Make the data directory of the first member of a new cluster out of a backup (ballast backup): the same\n" +
			"balances, operation ids, journal and digest, and nothing of who the members were. The cluster's UUID must be\n" +
			"a new one. What was acknowledged after the backup is not in it. All of the backup is verified before the\n" +
			"directory can be used; it must be missing, empty, or one whose making was cut short. Started, the member\n" +
			"leads by itself (no bootstrap), and others join it with empty data directories. - is standard input.",
		Example: "  ballastd restore bank.backup --config /etc/ballast/ballastd.toml --cluster-id $(uuidgen) --name node-1",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := uuid.Parse(cluster)
			if err != nil || id == uuid.Nil {
				return fmt.Errorf("--cluster-id: expected a new UUID that is not zero, such as uuidgen makes, found %q", cluster)
			}
			if err := datadir.CheckName(name); err != nil {
				return fmt.Errorf("--name: %w", err)
			}
			flags := map[string]string{}
			for key, value := range map[string]string{"data_dir": dir, "log_store": logStore, "member_address": memberAddress} {
				if value != "" {
					flags[key] = value
				}
			}
			loaded, err := config.Load(config.Input{File: file, Flags: flags, LookupEnv: io.lookupEnv})
			if err != nil {
				return err
			}
			return failed(readBackup(io, args[0], func(from *os.File, progress func(uint64)) error {
				summary, identity, err := node.Restore(from, node.RestoreOptions{
					Dir: loaded.DataDir, ClusterID: id, Name: name, MemberAddress: loaded.MemberAddress, LogKind: loaded.LogStore,
					Logger:   hclog.New(&hclog.LoggerOptions{Name: "ballastd", Level: hclog.Warn, Output: io.err}),
					Progress: progress,
				})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(io.out, "restored %s: member %s of the new cluster %s, incarnation %s, reached at %s; index %d, digest %s, %d accounts, %d entries\n",
					loaded.DataDir, identity.Name, identity.ClusterID, identity.Incarnation, loaded.MemberAddress, summary.Index, summary.Digest, summary.Accounts, summary.Entries)
				return err
			}))
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (TOML) whose data_dir is made, and whose member_address others will reach")
	cmd.Flags().StringVar(&dir, "data-dir", "", "the directory to make")
	cmd.Flags().StringVar(&logStore, "log-store", "", "kind of its raft log, boltdb or wal (default: as configured)")
	cmd.Flags().StringVar(&memberAddress, "member-address", "", "host:port where others will reach it (default: as configured)")
	cmd.Flags().StringVar(&cluster, "cluster-id", "", "the new cluster's UUID, for all members to be")
	cmd.Flags().StringVar(&name, "name", "", "the member's name, unique in the cluster")
	for _, flag := range []string{"cluster-id", "name"} {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // Only where the flag is not declared above.
		}
	}
	return cmd
}

// backupCommand is the noun "backup": what can be done with one without a cluster.
func backupCommand(io stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "backup", Short: "Look at a backup"}
	var output string
	verify := &cobra.Command{
		Use: "verify FILE", Short: "Read all of a backup, and say whether everything in it is right", Args: cobra.ExactArgs(1),
		Long: "Read all of a backup (- is standard input) and check everything: every checksum, the manifest, the chain of\n" +
			"the journal, the digest, that the state does not contradict itself and that the books sum to zero. Nothing is\n" +
			"changed. It needs the memory that a member with that state needs.",
		Example: "  ballastd backup verify bank.backup",
	}
	verify.RunE = func(_ *cobra.Command, args []string) error {
		format, err := render.ParseFormat(output)
		if err != nil {
			return err
		}
		return failed(readBackup(io, args[0], func(from *os.File, progress func(uint64)) error {
			s, err := node.VerifyBackup(from, progress)
			if err != nil {
				return err
			}
			g := &render.Grid{Columns: []render.Column{
				{Name: "index", Right: true},
				{Name: "taken_at"},
				{Name: "cluster"},
				{Name: "member"},
				{Name: "ledgers", Right: true},
				{Name: "accounts", Right: true},
				{Name: "entries", Right: true},
				{Name: "bytes", Right: true},
				{Name: "digest"},
			}}
			g.Add(fmt.Sprint(s.Index), s.TakenAt.Format(time.RFC3339), s.ClusterID, s.Member, fmt.Sprint(s.Ledgers), fmt.Sprint(s.Accounts),
				fmt.Sprint(s.Entries), fmt.Sprint(s.Bytes), s.Digest)
			view := struct {
				Sound    bool   `json:"sound"`
				About    any    `json:"about"`
				Bytes    uint64 `json:"bytes"`
				Ledgers  uint64 `json:"ledgers"`
				Accounts uint64 `json:"accounts"`
			}{true, s.About, s.Bytes, s.Ledgers, s.Accounts}
			if err := render.Write(io.out, format, g, view); err != nil || format != render.Table {
				return err
			}
			_, err = fmt.Fprintln(io.out, "sound: every checksum, the journal's chain, the digest, and the books of every ledger sum to zero")
			return err
		}))
	}
	verify.Flags().StringVarP(&output, "output", "o", "table", "output `format`: table, json or csv")
	cmd.AddCommand(verify)
	return cmd
}

// sayBackup is how often it is said how far reading a backup is.
const sayBackup = 2 * time.Second

// readBackup opens a backup, - standard input, and says on the way how much of it was read.
func readBackup(io stdio, path string, read func(from *os.File, progress func(uint64)) error) (err error) {
	from := os.Stdin
	if path != "-" {
		if from, err = os.Open(path); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, from.Close()) }()
	}
	size := "what is there"
	if info, err := from.Stat(); err == nil && info.Mode().IsRegular() {
		size = render.Bytes(uint64(info.Size()))
	}
	said := time.Now()
	return read(from, func(n uint64) {
		if time.Since(said) > sayBackup {
			said = time.Now()
			fmt.Fprintf(io.err, "read %s of %s\n", render.Bytes(n), size)
		}
	})
}
