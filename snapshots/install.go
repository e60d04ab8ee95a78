package snapshots

import (
	"errors"

	"github.com/ballastdb/ballast/fsm/page"
)

// install is another member's snapshot of which everything is here but the manifest.
type install struct {
	writer        *Writer
	receiver      Receiver
	area          *area  // what the writer's pack is; nil: nothing new was needed
	meta          []byte // the owner's
	digest        page.Digest
	configuration uint64 // its index, as raft announced it
}

// abort gives it up. What was pulled stays in the staging area.
func (i *install) abort() error {
	return errors.Join(i.writer.Abort(), i.receiver.Abort())
}
