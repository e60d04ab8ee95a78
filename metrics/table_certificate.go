package metrics

import (
	"time"

	"github.com/ballastdb/ballast/server"
)

// certificateTable is about who the member can prove to be.
func certificateTable() []pulled {
	return []pulled{
		gauge("ballast_certificate_left_seconds", "Time until this member's own certificate ends, negative behind it. Absent: without TLS.", func(f *server.Facts, tell put) {
			if !f.CertificateEnds.IsZero() {
				tell(time.Until(f.CertificateEnds).Seconds())
			}
		}),
	}
}
