package linearizability

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/wait"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
	"github.com/ballastdb/ballast/tests/linearizability/history"
)

// load is the clients of one round. What each worker asks for is drawn from the seed; what it makes of the answers
// (retry, raise the attempt, forget) is drawn too, but depends on them.
type load struct {
	clients  []*client.Client
	cells    [][]string // accounts
	workers  int
	ids      string // prefix of the round's operation ids
	seed     uint64
	think    time.Duration // a worker's longest pause between calls
	recorder *history.Recorder
}

// run works until ctx ends, and returns when every call has ended.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	for number := range l.workers {
		all.Go(func() {
			w := &worker{
				load: l, number: number, client: l.clients[number%len(l.clients)],
				rand: rand.New(rand.NewPCG(l.seed, uint64(number)+1)),
			}
			w.run(ctx)
		})
	}
	all.Wait()
}

// worker is one caller: one call at a time.
type worker struct {
	load   *load
	number int
	client *client.Client
	rand   *rand.Rand
	made   int
	// again are changes to send once more.
	again [][]*ballastv1.Operation
}

func (w *worker) run(ctx context.Context) {
	for ctx.Err() == nil {
		switch {
		case w.rand.IntN(100) < 35:
			w.read()
		case len(w.again) > 0 && w.rand.IntN(2) == 0:
			i := w.rand.IntN(len(w.again))
			ops := w.again[i]
			w.again = append(w.again[:i], w.again[i+1:]...)
			w.change(ops)
		default:
			w.change(w.invent())
		}
		_ = wait.For(ctx, time.Duration(w.rand.Int64N(int64(w.load.think))))
	}
}

// read reads all accounts of a cell at one index.
func (w *worker) read() {
	cell := w.load.cells[w.rand.IntN(len(w.load.cells))]
	ctx, cancel := context.WithTimeout(context.Background(), between(w.rand, 500*time.Millisecond, 6*time.Second))
	defer cancel()
	call := &history.Call{Client: w.number, Outcome: history.NotDone, Start: w.load.recorder.Now()}
	answer, err := w.client.Accounts(ctx, cell)
	call.End = w.load.recorder.Now()
	if err != nil {
		call.Error = err.Error()
	} else {
		call.Outcome = history.Answered
		state := answer.GetState()
		call.Read = &history.Read{
			Accounts: answer.GetAccounts(), Unknown: answer.GetUnknown(), Index: state.GetIndex(),
			Ahead: time.Duration(state.GetLogTime() - time.Now().UnixNano()),
		}
	}
	w.load.recorder.Add(call)
}

// change submits a change and decides whether to send it again.
func (w *worker) change(ops []*ballastv1.Operation) {
	ctx, cancel := context.WithTimeout(context.Background(), between(w.rand, 300*time.Millisecond, 3*time.Second))
	defer cancel()
	call := &history.Call{Client: w.number, Operations: ops, Start: w.load.recorder.Now()}
	results, err := w.client.Submit(ctx, ops...)
	call.End = w.load.recorder.Now()
	call.Results = results
	switch {
	case err == nil:
		call.Outcome = history.Answered
	case errors.Is(err, client.ErrUnknownOutcome):
		call.Outcome, call.Error = history.Unknown, err.Error()
	case errors.Is(err, client.ErrNotDone), errors.Is(err, client.ErrInvalid):
		call.Outcome, call.Error = history.NotDone, err.Error()
	default:
		call.Outcome, call.Error = history.Unknown, err.Error()
	}
	w.load.recorder.Add(call)
	w.react(call)
}

// react keeps a change to be sent again: as it is, or as the next attempt of a refused one.
func (w *worker) react(call *history.Call) {
	const mostKept = 20
	if len(w.again) >= mostKept {
		return
	}
	chance := w.rand.IntN(100)
	switch call.Outcome {
	case history.Unknown:
		if chance < 70 {
			w.again = append(w.again, call.Operations)
		}
	case history.NotDone:
		if chance < 40 {
			w.again = append(w.again, call.Operations)
		}
	case history.Answered:
		refused := call.Results[0].GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED
		if refused && chance < 40 && call.Operations[0].GetAttempt() < 4 {
			w.again = append(w.again, nextAttempt(call.Operations))
		} else if chance < 50 && refused || chance < 5 {
			w.again = append(w.again, call.Operations)
		}
	}
}

func nextAttempt(ops []*ballastv1.Operation) []*ballastv1.Operation {
	next := make([]*ballastv1.Operation, len(ops))
	for i, op := range ops {
		next[i] = proto.CloneOf(op)
		next[i].Attempt++
	}
	return next
}

// invent makes a new change within a cell: one operation or an atomic group.
func (w *worker) invent() []*ballastv1.Operation {
	cell := w.load.cells[w.rand.IntN(len(w.load.cells))]
	if w.rand.IntN(100) >= 15 {
		return []*ballastv1.Operation{w.operation(cell)}
	}
	ops := make([]*ballastv1.Operation, 2+w.rand.IntN(2))
	for i := range ops {
		ops[i] = w.operation(cell)
	}
	return client.Group(ops...)
}

func (w *worker) operation(cell []string) *ballastv1.Operation {
	w.made++
	options := []client.OpOption{
		client.WithID(fmt.Sprintf("%s-%d-%d", w.load.ids, w.number, w.made)), client.WithAttempt(1),
		client.WithIssuedAt(time.Now()), client.WithCode(uint32(w.number)),
	}
	from := w.rand.IntN(len(cell))
	to := (from + 1 + w.rand.IntN(len(cell)-1)) % len(cell)
	amount := 1 + w.rand.Int64N(60)
	switch kind := w.rand.IntN(100); {
	case kind < 30:
		return client.NewCredit(cell[from], amount, options...)
	case kind < 65:
		return client.NewDebit(cell[from], amount, options...)
	default:
		return client.NewTransfer(cell[from], cell[to], amount, options...)
	}
}
