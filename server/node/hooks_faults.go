//go:build faults

package node

import (
	"context"
	"os"

	"github.com/hashicorp/go-hclog"
	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/fsm"
	"github.com/ballastdb/ballast/internal/faults"
)

// newHooks injects the faults that the file named by BALLAST_TEST_FAULTS asks for, as it stands at each
// moment, and counts the traffic to other members in the file named by BALLAST_TEST_TRAFFIC.
func newHooks(logger hclog.Logger) hooks {
	injector := faults.NewInjector(os.Getenv(faults.EnvFile))
	logger.Warn("this build can inject faults and is for tests only", "file", os.Getenv(faults.EnvFile))
	h := hooks{
		clock: injector.Now, diskFree: injector.DiskFree, beforeLogWrite: injector.BeforeLogWrite, dial: injector.Dial,
		damage: func(ctx context.Context, machine *fsm.FSM) { injector.Damage(ctx, machine.Damage) },
	}
	if file := os.Getenv(faults.EnvTraffic); file != "" {
		h.dialOptions = append(h.dialOptions, grpc.WithStatsHandler(faults.NewMeter(file)))
	}
	return h
}
