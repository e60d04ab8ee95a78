//go:build !faults

package node

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

func newHooks(hclog.Logger) hooks { return hooks{clock: time.Now} }
