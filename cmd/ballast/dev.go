package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/devcluster"
)

const devHelp = `Run a cluster of real ballastd processes on this machine, for development. The first run makes and
forms it, later runs find its data again. A member that dies is started again after a second. SIGINT
(Ctrl-C) or SIGTERM stops all members.

Member i, from 1, answers clients on --port + i, members on --port + 10 + i, operators on
--port + 20 + i. DIR/node-i holds its configuration, its log and its data.`

func newDevCommand(a *app) *cobra.Command {
	config := devcluster.Config{}
	var noRestart, topUps bool
	cmd := &cobra.Command{
		Use:     "dev",
		Short:   "Run a cluster on this machine, for development",
		Long:    devHelp,
		Example: "  ballast dev\n  ballast dev --dir /tmp/five --port 7500 --nodes 5",
		Args:    args(),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		flags := cmd.Flags()
		for name, field := range map[string]*int{"port": &config.Shape.Port, "nodes": &config.Shape.Nodes} {
			switch {
			case !flags.Changed(name):
				*field = 0 // as the cluster was made, or the default
			case *field < 1:
				return usagef("--%s %d: it must be 1 or more", name, *field)
			}
		}
		switch {
		case !flags.Changed("non-voters"):
			config.Shape.NonVoters = -1
		case config.Shape.NonVoters < 0:
			return usagef("--non-voters %d: it must be 0 or more", config.Shape.NonVoters)
		}
		config.Restart = !noRestart
		return a.dev(cmd.Context(), config, topUps)
	}
	flags := cmd.Flags()
	flags.StringVar(&config.Dir, "dir", ".ballast-dev", "`directory` of the cluster's data")
	flags.IntVar(&config.Shape.Port, "port", devcluster.DefaultPort, "base of all `ports`")
	flags.IntVar(&config.Shape.Nodes, "nodes", devcluster.DefaultNodes, "number of voters")
	flags.IntVar(&config.Shape.NonVoters, "non-voters", 0, "number of members that do not vote")
	flags.BoolVar(&noRestart, "no-restart", false, "leave members that die down")
	flags.BoolVar(&topUps, "top-ups", false, "charge for top-ups at a simulated processor, which declines and loses some")
	return cmd
}

func (a *app) dev(ctx context.Context, config devcluster.Config, topUps bool) error {
	var err error
	if config.Program, err = findDaemon(); err != nil {
		return err
	}
	var speaking sync.Mutex
	config.Tell = func(text string) {
		speaking.Lock()
		defer speaking.Unlock()
		fmt.Fprintln(a.out, text)
	}
	config.Tell(fmt.Sprintf("starting the cluster in %s", config.Dir))
	cluster, err := devcluster.Start(ctx, config)
	if ctx.Err() != nil {
		config.Tell("stopped")
		return nil
	}
	if err != nil {
		return err
	}
	config.Tell(a.welcome(ctx, cluster))
	stopCharging := func() {}
	if topUps {
		if stopCharging, err = chargeSimulated(ctx, cluster.Client(), config.Tell); err != nil {
			cluster.Stop()
			return err
		}
	}
	err = cluster.Wait(ctx)
	stopCharging()
	config.Tell("stopping all members")
	cluster.Stop()
	config.Tell("stopped; the data stay in " + config.Dir)
	return err
}

// findDaemon looks for ballastd beside this program, then on PATH.
func findDaemon() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	beside := filepath.Join(filepath.Dir(self), "ballastd")
	info, err := os.Stat(beside)
	switch {
	case err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0:
		return beside, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	onPath, err := exec.LookPath("ballastd")
	if err != nil {
		return "", fmt.Errorf("there is no ballastd beside %s and none on PATH: build it with make build, or install it", self)
	}
	return filepath.Abs(onPath)
}

// welcome tells where the cluster is and what to try next.
func (a *app) welcome(ctx context.Context, cluster *devcluster.Cluster) string {
	var text strings.Builder
	endpoints := strings.Join(cluster.Endpoints(), ",")
	fmt.Fprintf(&text, "\nendpoints: %s\n", endpoints)
	for _, m := range cluster.Members() {
		role := "voter"
		switch {
		case m.Name == cluster.Leader():
			role = "leader"
		case !m.Voter:
			role = "non-voter"
		}
		fmt.Fprintf(&text, "%-6s  %-9s  clients %s  members %s  operators %s  log %s\n", m.Name, role,
			m.ClientAddress, m.MemberAddress, m.OperatorAddress, m.LogFile())
	}
	fmt.Fprintf(&text, "%s leads\n\ntry, in another terminal:\n", cluster.Leader())
	program := programName()
	if endpoints != defaultEndpoints || os.Getenv("BALLAST_ENDPOINTS") != "" {
		program += " --endpoints " + endpoints
	}
	for _, command := range a.suggestions(ctx, cluster.Client()) {
		fmt.Fprintf(&text, "  %s %s\n", program, command)
	}
	text.WriteString("\nCtrl-C stops all members\n")
	return text.String()
}

// programName is how a person called this program.
func programName() string {
	if len(os.Args) > 0 && strings.Contains(os.Args[0], "/") {
		return shellWord(os.Args[0])
	}
	return "ballast"
}

// suggestions are three commands that work when they are pasted: on an empty store ones that fill it.
func (a *app) suggestions(ctx context.Context, c *client.Client) []string {
	ledgers, err := c.Ledgers(ctx)
	if err == nil && len(ledgers) > 0 {
		return []string{"ledger list", "account list", "status"}
	}
	return []string{"ledger create usd --asset USD --scale 2", "account create alice --ledger usd", "credit alice 100.00"}
}
