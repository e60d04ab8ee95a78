// Package wait waits for time to pass, and no longer than its caller.
package wait

import (
	"context"
	"time"
)

// For waits until d has passed, or for the end of ctx, whose error it returns; of d that is 0 or less it only looks at ctx.
func For(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
