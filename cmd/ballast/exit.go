package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/importer"
)

// Exit codes, documented in docs/cli.md.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUnavailable = 3
	exitUnknown     = 4
	// Of reconcile.
	exitDiffers     = 5
	exitNotCompared = 6
)

// usageError is a command line that cannot be run as it is.
type usageError struct{ text string }

func (e usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return usageError{text: fmt.Sprintf(format, args...)} }

// codeError carries the exit code that a verb decided on. With a nil err everything has been said already.
type codeError struct {
	code int
	err  error
}

func (e codeError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e codeError) Unwrap() error { return e.err }

// exitCode is the exit code of what a verb returned.
func exitCode(err error) int {
	var coded codeError
	var usage usageError
	var importUsage *importer.UsageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &coded):
		return coded.code
	case errors.As(err, &usage), errors.As(err, &importUsage):
		return exitUsage
	case errors.Is(err, client.ErrUnknownOutcome):
		return exitUnknown
	case roleRefused(err):
		return exitFailed
	case errors.Is(err, client.ErrInvalid):
		return exitUsage
	case errors.Is(err, client.ErrUnavailable), errors.Is(err, client.ErrNotDone), errors.Is(err, context.DeadlineExceeded):
		return exitUnavailable
	}
	return exitFailed
}

// roleRefused tells a call that this certificate may not make: asking again, or another member, does not help.
func roleRefused(err error) bool {
	var status *client.StatusError
	return errors.As(err, &status) && (status.Code == codes.PermissionDenied || status.Code == codes.Unauthenticated)
}

// flagError explains the commonest wrong flag: a negative amount.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "" && strings.Trim(unknown.GetSpecifiedShortnames(), "0123456789.,") == "" {
		return usagef("-%s is no flag; amounts are positive: debit lowers a balance, credit raises it", unknown.GetSpecifiedShortnames())
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) && invalid.GetFlag().Value.Type() == "duration" && isDigits(invalid.GetValue()) {
		return usagef("--%s %s: a unit is missing; did you mean %ss?", invalid.GetFlag().Name, invalid.GetValue(), invalid.GetValue())
	}
	return usagef("%v (see: %s --help)", err, cmd.CommandPath())
}

func isDigits(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }

// args requires the named arguments; a last name that ends in "..." stands for one or more, one in brackets for an
// optional one.
func args(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, given []string) error {
		least, most := 0, len(names)
		for _, name := range names {
			if name[0] != '[' {
				least++
			}
			if strings.HasSuffix(strings.TrimSuffix(name, "]"), "...") {
				most = 1 << 20
			}
		}
		switch {
		case len(given) < least:
			return usagef("%s is missing (usage: %s)", names[len(given)], cmd.UseLine())
		case len(given) > most:
			return usagef("unexpected argument %q (usage: %s)", given[most], cmd.UseLine())
		}
		return nil
	}
}
