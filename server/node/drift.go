package node

import (
	"time"

	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
)

// logDrift says what is configured otherwise than at the last good run: a wrong configuration file most often shows at
// a restart that was meant to change nothing. It never keeps the member from starting.
func (n *node) logDrift() error {
	if n.Values == nil {
		return nil
	}
	last, err := datadir.ReadLastRun(n.dir.Root())
	if err != nil {
		n.Logger.Warn("what was configured at the last good run cannot be read", "error", err)
		return nil
	}
	if last.At.IsZero() {
		return nil
	}
	n.drifted = config.Drift(n.Values, last.Config)
	for _, d := range n.drifted {
		n.Logger.Warn("configured otherwise than at the last good run", "key", d.Key, "was", d.Was, "is", d.Text, "origin", d.Origin,
			"last_good_run", last.At.UTC().Format(time.RFC3339))
	}
	return nil
}

// keepValues keeps what the member is configured with: it is up, so this is a good run.
func (n *node) keepValues() {
	if n.Values == nil {
		return
	}
	run := datadir.LastRun{At: time.Now().UTC().Truncate(time.Second), Config: config.ByKey(n.Values)}
	if err := n.dir.WriteLastRun(run); err != nil {
		n.Logger.Warn("the configuration of this run is not kept for comparison", "error", err)
	}
}

// keysOf are the keys of values that differ.
func keysOf(list []config.Difference) (keys []string) {
	for _, d := range list {
		keys = append(keys, d.Key)
	}
	return keys
}
