package node

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
)

// stack remembers how to undo what was built, so that it is undone in reverse order, once, whether the build ended or
// failed half way.
type stack struct {
	logger hclog.Logger
	steps  []undo
}

type undo struct {
	what string
	do   func(context.Context) error
}

// push adds a step; what says what it does, for the log.
func (s *stack) push(what string, do func(context.Context) error) {
	s.steps = append(s.steps, undo{what, do})
}

// pushClose adds a step that knows no bound.
func (s *stack) pushClose(what string, do func() error) {
	s.push(what, func(context.Context) error { return do() })
}

// unwind does all steps, the last first. A step that fails does not keep the others from being done.
func (s *stack) unwind(ctx context.Context) error {
	var errs []error
	for i := len(s.steps) - 1; i >= 0; i-- {
		step := s.steps[i]
		s.logger.Debug("stopping", "step", step.what)
		if err := step.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", step.what, err))
		}
	}
	s.steps = nil
	return errors.Join(errs...)
}

// bounded waits for do until ctx ends. A do that never ends keeps its goroutine until the process ends, which is next.
func bounded(ctx context.Context, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}
