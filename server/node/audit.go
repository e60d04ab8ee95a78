package node

import (
	"path/filepath"

	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/server"
	"github.com/ballastdb/ballast/server/audit"
)

// auditDir is the directory of the audit log in the data directory.
const auditDir = "audit"

func (n *node) openAudit() (err error) {
	n.audit, err = audit.Open(vfs.OS{}, filepath.Join(n.dir.Root(), auditDir))
	return err
}

// recorder writes down what operators do.
func (n *node) recorder() *audit.Recorder {
	return audit.NewRecorder(audit.Config{Log: n.audit, By: server.Caller, Clock: n.hooks.clock, Logger: n.Logger.Named("audit")})
}
