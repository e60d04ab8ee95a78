package node

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/fsm/upkeep"
	"github.com/ballastdb/ballast/logstore"
)

func (n *node) openLog() (err error) {
	n.log, err = logstore.Open(logstore.Options{
		Dir: n.dir.Raft(), Kind: logstore.Kind(n.Config.LogStore), Logger: n.Logger.Named("log"), Fatal: n.Fatal,
		WriteLimit: n.Config.LogWriteLimit, BeforeWrite: n.hooks.beforeLogWrite,
	})
	if err != nil {
		return refuseKind(n.dir.Root(), err)
	}
	n.undo.pushClose("close the raft log", n.log.Close)
	n.cache = newLogCache(n.log, logCacheBytes)
	n.kept.over(n.log)
	return nil
}

// attachLog tells the log what is applied and what is in snapshots, without which it keeps nothing for others.
func (n *node) attachLog() {
	n.log.Attach(logstore.Hooks{
		Applied: func() uint64 {
			index, _ := n.machine.Applied()
			return index
		},
		Snapshot: n.snapshots.NewestSnapshot,
	})
}

// startTrimmingLog has the log follow the replicated settings of retention, from when they are known on.
func (n *node) startTrimmingLog() error {
	n.undo.pushClose("end waiting for the settings of retention", run(func(ctx context.Context) { trimLog(ctx, &n.kept, n.machine, n.raft.CurrentTerm) }))
	return nil
}

// settingsTick is how often it is looked whether the settings are known.
const settingsTick = 200 * time.Millisecond

// trimmed is a log that keeps to a retention.
type trimmed interface{ SetRetention(r logstore.Retention) }

// settled is a state with the settings.
type settled interface {
	MarkerTerm() uint64
	OnUpkeep(fn func(upkeep.Settings))
}

// trimLog waits until this member has applied its leader's first entry, and so all that was committed before. Until then it may
// know only the settings of its newest snapshot, or the defaults, and would let go of log that the cluster wants to be kept.
func trimLog(ctx context.Context, log trimmed, machine settled, currentTerm func() uint64) {
	tick := time.NewTicker(settingsTick)
	defer tick.Stop()
	for term := currentTerm(); term == 0 || machine.MarkerTerm() != term; term = currentTerm() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
	machine.OnUpkeep(func(u upkeep.Settings) {
		log.SetRetention(logstore.Retention{Bytes: u.LogRetentionBytes, Age: u.LogRetentionTime, PinBytes: u.LogPinBytes})
	})
}

// ConvertLog converts the raft log in the data directory dir, which no process may have open, to a kind.
func ConvertLog(dir, kind string, logger hclog.Logger) (err error) {
	open, err := datadir.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, open.Close()) }()
	return logstore.Convert(open.Raft(), logstore.Kind(kind), logger)
}

// refuseKind makes a refusal of the data directory of a log of another kind than is configured.
func refuseKind(dir string, err error) error {
	var kind *logstore.KindError
	if !errors.As(err, &kind) {
		return err
	}
	var found []string
	for _, k := range kind.Found {
		found = append(found, string(k))
	}
	convert := fmt.Sprintf("ballastd convert-log --data-dir %s --log-store %s", dir, kind.Wanted)
	remedy := fmt.Sprintf("start it with log_store = %q, as it was; or convert the log, while this member is stopped: %s", found[0], convert)
	if len(found) > 1 {
		remedy = "a conversion was cut short, run it again: " + convert
	}
	return &datadir.RefusedError{
		Problem: datadir.OtherLog, Dir: dir, Expected: "a raft log of the kind " + string(kind.Wanted) + ", as log_store says",
		Found: "one of the kind " + strings.Join(found, " and one of the kind "), Remedy: remedy,
	}
}
