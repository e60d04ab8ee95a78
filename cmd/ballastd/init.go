package main

import (
	"fmt"

	"github.com/google/uuid"
	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/server/node"
)

func initCommand(io stdio) *cobra.Command {
	var file, dir, cluster, name, logStore string
	var epoch uint64
	cmd := &cobra.Command{
		Use:   "init [--config FILE] [--data-dir D] [--log-store K] --cluster-id UUID --name NAME [--recovery-epoch N]",
		Short: "Make the data directory of a new member",
		Long: "Make the data directory of a new member: D, or the one that the configuration names. Its parent directory must\n" +
			"be there. The cluster's UUID is made once (uuidgen) and given to every member; the name must be unique in the cluster. Nothing that is there is touched:\n" +
			"the directory must be missing, empty, or one whose init was cut short.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			id, err := uuid.Parse(cluster)
			if err != nil || id == uuid.Nil {
				return fmt.Errorf("--cluster-id: expected a UUID that is not zero, such as uuidgen makes, found %q", cluster)
			}
			if err := datadir.CheckName(name); err != nil {
				return fmt.Errorf("--name: %w", err)
			}
			flags := map[string]string{}
			for key, value := range map[string]string{"data_dir": dir, "log_store": logStore} {
				if value != "" {
					flags[key] = value
				}
			}
			loaded, err := config.Load(config.Input{File: file, Flags: flags, LookupEnv: io.lookupEnv})
			if err != nil {
				return err
			}
			dir := loaded.DataDir
			logger := hclog.New(&hclog.LoggerOptions{Name: "ballastd", Level: hclog.Warn, Output: io.err})
			identity, err := node.Init(dir, node.NewMember{ClusterID: id, Name: name, Epoch: epoch}, loaded.LogStore, logger)
			if err != nil {
				return failed(err)
			}
			_, err = fmt.Fprintf(io.out, "initialised %s: member %s of cluster %s, incarnation %s\n",
				dir, identity.Name, identity.ClusterID, identity.Incarnation)
			return failed(err)
		},
	}
	cmd.Flags().StringVar(&file, "config", "", "configuration file (TOML) whose data_dir is made, with a log of its log_store")
	cmd.Flags().StringVar(&dir, "data-dir", "", "the directory to make")
	cmd.Flags().StringVar(&logStore, "log-store", "", "kind of its raft log, boltdb or wal (default: as configured)")
	cmd.Flags().StringVar(&cluster, "cluster-id", "", "the cluster's UUID, the same for all members")
	cmd.Flags().StringVar(&name, "name", "", "the member's name, unique in the cluster")
	cmd.Flags().Uint64Var(&epoch, "recovery-epoch", 0, "the cluster's recovery epoch, as recover and the members tell it; 0: it was never recovered")
	for _, flag := range []string{"cluster-id", "name"} {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // Only where the flag is not declared above.
		}
	}
	return cmd
}
