package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const applyHelp = `Apply up to 1,000 operations of any kind as one group: all of them take effect or none does, and the one
that was refused is named. FILE has one operation a line, - is standard input; empty lines and lines that
begin with # are left out. A line is the JSON form of ballast.v1.Operation, amounts in minor units:

  {"transfer": {"debit_account": "alice", "credit_account": "bob", "amount": 1200}, "reference": "rent"}
  {"hold": {"account": "bob", "amount": 500, "timeout": 900000000000}}

An operation without an id gets that of the group and its number, --id BASE makes BASE-1, BASE-2 and so on,
so that the same command with the same --id and the --issued-at that is shown is a retry.`

const (
	maxApplyLine = 64 << 10
	maxGroup     = 1000
)

// pointedAmount is an amount, a limit and the like with a point or an exponent, quoted or not. 12.00 is a whole number to JSON: a
// hundredth of what whoever wrote it meant.
var pointedAmount = regexp.MustCompile(`"(?:amount|floor|ceiling|threshold|target|limit|sum|count)"\s*:\s*"?-?[0-9]+[.eE]`)

// applyFlags say which group it is.
type applyFlags struct {
	id, issuedAt string
	attempt      uint32
}

func newApplyCommand(a *app) *cobra.Command {
	var flags applyFlags
	cmd := &cobra.Command{
		Use:     "apply FILE|-",
		Short:   "Apply operations of any kind together, or none of them",
		Long:    applyHelp,
		Example: "  ballast apply month-end.ndjson --id month-end-2026-03 --issued-at 2026-03-31T00:00:00Z",
		Args:    args("FILE"),
	}
	cmd.RunE = a.bounded(func(ctx context.Context, c *client.Client, args []string) error {
		group, err := a.readGroup(args[0])
		if err != nil {
			return err
		}
		if err := flags.apply(c, group); err != nil {
			return err
		}
		return a.applyGroup(ctx, c, &flags, group)
	})
	cmd.Flags().StringVar(&flags.id, "id", "", "`base` of the ids of operations that have none, up to 59 bytes (default: a new one)")
	cmd.Flags().StringVar(&flags.issuedAt, "issued-at", "", "`time` at which --id was made; a retry repeats it")
	cmd.Flags().Uint32Var(&flags.attempt, "attempt", 1, "raise it to try a refused group again on purpose")
	return cmd
}

// groupLine is an operation and where it stands in the file.
type groupLine struct {
	number int
	op     *ballastv1.Operation
}

func (a *app) readGroup(path string) (group []groupLine, err error) {
	in := a.in
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = file.Close() }() // it was only read
		in = file
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxApplyLine)
	for number := 1; lines.Scan(); number++ {
		text := bytes.TrimSpace(lines.Bytes())
		if len(text) == 0 || text[0] == '#' {
			continue
		}
		if len(group) == maxGroup {
			return nil, usagef("%s: more than %d operations: a group has no more", path, maxGroup)
		}
		op := &ballastv1.Operation{}
		if pointed := pointedAmount.Find(text); pointed != nil {
			return nil, usagef("%s, line %d: %s..: amounts are whole minor units: write 1200, not 12.00", path, number, pointed)
		}
		if err := protojson.Unmarshal(text, op); err != nil {
			return nil, usagef("%s, line %d: want an operation as JSON: %v", path, number, err)
		}
		group = append(group, groupLine{number, op})
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, usagef("%s: a line of more than %d bytes", path, maxApplyLine)
	case err != nil && !errors.Is(err, io.EOF):
		return nil, err
	case len(group) == 0:
		return nil, usagef("%s: no operations", path)
	}
	return group, nil
}

// apply completes the operations: ids, stamps, attempts, and that they belong together.
func (f *applyFlags) apply(c *client.Client, group []groupLine) error {
	if f.attempt == 0 {
		return usagef("--attempt 0: attempts count from 1")
	}
	if f.id == "" {
		if f.issuedAt != "" {
			return usagef("--issued-at goes with the --id that was made then")
		}
		f.id = c.NewID()
	}
	stamp := stampOf(c, f.id)
	if f.issuedAt != "" {
		at, err := timetext.Parse(f.issuedAt)
		if err != nil {
			return usagef("--issued-at: %v", err)
		}
		stamp = at.UnixNano()
	}
	f.issuedAt = timetext.Format(stamp)
	for i, line := range group {
		op := line.op
		if op.Id == "" {
			op.Id = fmt.Sprintf("%s-%d", f.id, i+1)
		}
		if op.IssuedAt == 0 {
			op.IssuedAt = stamp
		}
		if op.Attempt == 0 {
			op.Attempt = f.attempt
		}
		op.Linked = i < len(group)-1
	}
	return nil
}

// appliedView is what became of one operation of a group, in JSON.
type appliedView struct {
	Line      int    `json:"line"`
	Operation string `json:"operation"`
	// IssuedAt is what a retry with an id of one's own repeats.
	IssuedAt string `json:"issued_at"`
	Result   string `json:"result"`
	Replayed bool   `json:"replayed"`
	Sequence uint64 `json:"sequence,omitempty"`
	Refusal  string `json:"refusal,omitempty"`
}

// applyGroup sends the group and shows what became of it.
func (a *app) applyGroup(ctx context.Context, c *client.Client, flags *applyFlags, group []groupLine) error {
	ops := make([]*ballastv1.Operation, len(group))
	for i := range group {
		ops[i] = group[i].op
	}
	results, err := c.Submit(ctx, ops...)
	var unknown *client.UnknownOutcomeError
	switch {
	case errors.As(err, &unknown):
		return wordedError{err: err, text: fmt.Sprintf("outcome of group %s unknown: %s\nall of it may have taken effect, or nothing. Run the same command "+
			"again with --id %s --issued-at %s: it takes effect at most once", flags.id, inWords(unknown.Cause), shellWord(flags.id), flags.issuedAt)}
	case err != nil:
		return fmt.Errorf("%w\nnothing was done by this call (group %s)", err, flags.id)
	}
	views := make([]appliedView, len(group))
	failed, code := -1, ballastv1.ResultCode_RESULT_CODE_UNSPECIFIED
	for i, r := range results {
		views[i] = appliedView{Line: group[i].number, Operation: ops[i].GetId(), IssuedAt: timetext.Format(ops[i].GetIssuedAt()), Result: resultName(r.GetCode()), Replayed: r.GetReplayed(), Sequence: r.GetSequence()}
		switch r.GetCode() {
		case ballastv1.ResultCode_RESULT_CODE_APPLIED, ballastv1.ResultCode_RESULT_CODE_GROUP_REFUSED:
		default:
			views[i].Refusal = client.AsRefusal(ops[i], r).Error()
			if failed < 0 {
				failed, code = i, r.GetCode()
			}
		}
	}
	if failed >= 0 && a.format != render.JSON {
		return refusedGroup(views[failed], code, flags)
	}
	if err := a.write(groupGrid(views), views); err != nil || failed < 0 {
		return err
	}
	return refusedGroup(views[failed], code, flags)
}

func refusedGroup(v appliedView, code ballastv1.ResultCode, flags *applyFlags) error {
	refused := fmt.Sprintf("refused: line %d: %s (amounts in minor units)", v.Line, v.Refusal)
	if code == ballastv1.ResultCode_RESULT_CODE_CONFLICT {
		return fmt.Errorf("%s\nthis call did nothing, but an operation with this id is known: the group may have taken effect before, with another --issued-at "+
			"or other lines: ballast operation get %s. A retry repeats the --issued-at of the first call", refused, shellWord(v.Operation))
	}
	return fmt.Errorf("%s\nnothing of the group %s took effect; attempt %d of it is final, to try again on purpose: "+
		"--id %s --issued-at %s --attempt %d", refused, flags.id, flags.attempt, shellWord(flags.id), flags.issuedAt, flags.attempt+1)
}

func groupGrid(views []appliedView) *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "line", Right: true}, {Name: "operation"}, {Name: "result"}, {Name: "sequence", Right: true}, {Name: "issued_at"}}}
	for _, v := range views {
		result := v.Result
		if v.Replayed {
			result += " before"
		}
		g.Add(strconv.Itoa(v.Line), v.Operation, result, strconv.FormatUint(v.Sequence, 10), v.IssuedAt)
	}
	return g
}
