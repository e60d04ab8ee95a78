package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/pflag"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// operationFlags are the flags of every verb that changes something.
type operationFlags struct {
	id, issuedAt, eventTime, reference string
	attempt, code                      uint32
	ifVersion                          uint64
}

func (f *operationFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.id, "id", "", "operation `id`, at most one effect for each (default: a new one)")
	flags.StringVar(&f.issuedAt, "issued-at", "", "`time` at which --id was made; a retry repeats it")
	flags.Uint32Var(&f.attempt, "attempt", 1, "raise it to try a refused operation again on purpose")
	flags.StringVar(&f.eventTime, "event-time", "", "`time` of the business event, kept with the entry")
	flags.Uint32Var(&f.code, "code", 0, "your own classification, kept with the entry")
	flags.Uint64Var(&f.ifVersion, "if-version", 0, "only if the account's `version` is still this")
	flags.StringVar(&f.reference, "reference", "", "your own reference `text`, kept with the entry")
}

// apply puts the flags into an operation. An id that carries no time is stamped now unless --issued-at is given.
func (f *operationFlags) apply(c *client.Client, op *ballastv1.Operation) error {
	op.Id, op.Attempt, op.Code, op.Reference = f.id, f.attempt, f.code, f.reference
	op.IfVersion = f.ifVersion
	if f.attempt == 0 {
		return usagef("--attempt 0: attempts count from 1")
	}
	if op.Id == "" {
		if f.issuedAt != "" {
			return usagef("--issued-at goes with the --id that was made then")
		}
		op.Id = c.NewID()
	}
	for _, t := range []struct {
		flag, text string
		target     *int64
	}{{"--issued-at", f.issuedAt, &op.IssuedAt}, {"--event-time", f.eventTime, &op.EventTime}} {
		if t.text == "" {
			continue
		}
		at, err := timetext.Parse(t.text)
		if err != nil {
			return usagef("%s: %v", t.flag, err)
		}
		*t.target = at.UnixNano()
	}
	if op.GetIssuedAt() == 0 {
		op.IssuedAt = stampOf(c, op.GetId())
	}
	return nil
}

// submit sends one operation and shows what became of it.
func (a *app) submit(ctx context.Context, c *client.Client, flags *operationFlags, op *ballastv1.Operation, d denomination) error {
	results, err := c.Submit(ctx, op)
	if err != nil {
		return notAnswered(op, flags.id != "", err)
	}
	result := results[0]
	view := viewOf(op, result, d)
	if result.GetCode() == ballastv1.ResultCode_RESULT_CODE_APPLIED {
		return a.write(view.grid(op), view)
	}
	text := refusalText(op, result, d)
	view.Refusal = text
	if a.format == render.JSON {
		if err := a.write(nil, view); err != nil {
			return err
		}
	}
	return fmt.Errorf("refused: %s\n%s", text, wayOn(op, result))
}

// notAnswered says how to find out what became of an operation. ownID: the caller gave the id, so an earlier call may
// have sent it.
func notAnswered(op *ballastv1.Operation, ownID bool, err error) error {
	var unknown *client.UnknownOutcomeError
	if errors.As(err, &unknown) {
		return wordedError{err: err, text: fmt.Sprintf("outcome of operation %s unknown: %s\n"+
			"it may have taken effect. Run the same command again with %s: it takes effect at most once.\n"+
			"What became of it: ballast operation get %s", op.GetId(), inWords(unknown.Cause), retryFlags(op), shellWord(op.GetId()))}
	}
	if errors.Is(err, client.ErrInvalid) {
		return err
	}
	earlier := ""
	if ownID {
		earlier = "; an earlier call with this id may have been applied: ballast operation get " + shellWord(op.GetId())
	}
	return fmt.Errorf("%w\nnothing was done by this call (operation %s)%s", err, op.GetId(), earlier)
}

// retryFlags are the flags that make the same command a retry.
func retryFlags(op *ballastv1.Operation) string {
	flags := "--id " + shellWord(op.GetId())
	if !carriesStamp(op) {
		flags += " --issued-at " + timetext.Format(op.GetIssuedAt())
	}
	if op.GetAttempt() > 1 {
		flags += fmt.Sprintf(" --attempt %d", op.GetAttempt())
	}
	return flags
}

// carriesStamp tells whether the id alone says when it was made, so that a retry needs no --issued-at.
func carriesStamp(op *ballastv1.Operation) bool {
	stamp, carried := client.IssuedAt(op.GetId())
	return carried && stamp == op.GetIssuedAt()
}

// shellWord quotes a text for a shell where it needs it.
func shellWord(text string) string {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/@%+,="
	if text != "" && strings.Trim(text, plain) == "" {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}

func stampOf(c *client.Client, id string) int64 {
	if stamp, carried := client.IssuedAt(id); carried {
		return stamp
	}
	stamp, _ := client.IssuedAt(c.NewID()) // the present, as the client would stamp
	return stamp
}
