// Peers is ballastbench's compare with the stores that Ballast is held against: Redis, etcd and PostgreSQL. It is a module
// of its own, so that those who import Ballast's client do not see the clients of other stores.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/ballastdb/ballast/internal/devtools/compare"
)

// Exit codes, as those of ballastbench.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	front := compare.Front{
		Peers: []compare.System{&redisPeer{}, &etcdPeer{}, &postgresPeer{}},
		Out:   os.Stdout, Err: os.Stderr,
	}
	cmd := front.Command()
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintf(os.Stderr, "compare: %v\n", err)
	var failed *compare.Failure
	if errors.As(err, &failed) {
		return exitFailed
	}
	return exitUsage
}
