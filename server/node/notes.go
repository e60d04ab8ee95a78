package node

import (
	"fmt"
	"strings"
	"time"
)

// notes are what the status says beside what the member is doing: what an operator should look at before it hurts.
func (n *node) notes() (notes []string) {
	if len(n.drifted) > 0 {
		notes = append(notes, "configured otherwise than at the last good run: "+strings.Join(keysOf(n.drifted), ", "))
	}
	if n.space != nil {
		if note := n.spaceNote(); note != "" {
			notes = append(notes, note)
		}
	}
	if n.registry != nil {
		if note := n.registry.note.Load(); note != nil && *note != "" {
			notes = append(notes, *note)
		}
	}
	if n.comparer != nil {
		notes = append(notes, n.comparer.Notes()...)
	}
	if n.custodian != nil {
		notes = append(notes, n.custodian.Notes()...)
	}
	if n.TLS == nil {
		return notes
	}
	if left := time.Until(n.TLS.Certificate().NotAfter); left < 0 {
		notes = append(notes, "its certificate has expired, and new connections to it are refused: renew it (ballast certs renew) and send SIGHUP")
	} else if left < expiresSoon {
		notes = append(notes, fmt.Sprintf("its certificate ends in %d days: renew it (ballast certs renew) and send SIGHUP", int(left/(24*time.Hour))))
	}
	return notes
}
