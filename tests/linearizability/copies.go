package linearizability

import (
	"time"

	"github.com/ballastdb/ballast/tests/linearizability/history"
	"github.com/ballastdb/ballast/tests/linearizability/network"
)

// recordCopy records a late copy as calls of its own, one for each change of the request.
func recordCopy(recorder *history.Recorder, c network.Copy) {
	end := recorder.Now()
	start := end - int64(time.Since(c.Started))
	for _, change := range history.Split(c.Operations, c.Results) {
		if change.Operations[0].GetCreateLedger() != nil || change.Operations[0].GetCreateAccount() != nil {
			continue // the round's preparations, which are not part of its history
		}
		call := &history.Call{
			Client: copyClient, LateCopy: true, Start: start, End: end,
			Operations: change.Operations, Results: change.Results, Outcome: history.Answered,
		}
		switch {
		case network.ProposedNothing(c.Err):
			call.Outcome, call.Error = history.NotDone, c.Err.Error()
		case c.Err != nil:
			call.Outcome, call.Error = history.Unknown, c.Err.Error()
		}
		recorder.Add(call)
	}
}

// copyClient stands for the network in the place of a client's number.
const copyClient = 99
