package doctor

import (
	"fmt"
	"strings"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const day = 24 * time.Hour

// How long before its end a certificate is told of, and how long before it is critical.
const (
	memberSoon, memberNow = 30 * day, 7 * day
	caSoon, caNow         = 90 * day, 30 * day
	ownSoon               = 14 * day
)

// checkCertificates looks when they end, and whether their files would be taken again.
func checkCertificates(c *chart) {
	believed := map[string]*authority{}
	plain := 0
	for _, m := range c.examined() {
		x := m.Examination
		if len(x.GetCertificates()) == 0 {
			plain++
		}
		for _, cert := range x.GetCertificates() {
			if !cert.GetAuthority() {
				c.ends(m.Name, cert)
				continue
			}
			key := cert.GetIdentity() + "/" + cert.GetSerial()
			if believed[key] == nil {
				believed[key] = &authority{Certificate: cert}
			}
			believed[key].by = append(believed[key].by, m.Name)
		}
		c.files(m.Name, x)
	}
	for _, a := range believed {
		c.authorityEnds(a)
	}
	if plain > 0 && plain == len(c.examined()) {
		c.add(Finding{
			Check: "not-secured", Severity: Note, What: "connections are not secured: whoever reaches the loopback addresses may do anything",
			Do: "for anything but development: ballast cluster plan, docs/security.md", DoNot: "do not forward the ports to other hosts",
		})
	}
	if left := left(c.At, c.Own); c.Own != nil && left < ownSoon {
		c.add(Finding{
			Check: "own-certificate-ending", Severity: Warning, Page: pageCertificate,
			What: fmt.Sprintf("your own certificate, of %s, %s", c.Own.GetIdentity(), endsIn(left)),
			Do:   "renew it where the authority is kept: ballast certs renew --ca-dir ca FILE", DoNot: "do not use another person's",
		})
	}
}

// authority is a certificate that members believe.
type authority struct {
	*ballastv1.Certificate
	by []string
}

// left is how long a certificate is in force still.
func left(now time.Time, cert *ballastv1.Certificate) time.Duration {
	return time.Unix(0, cert.GetNotAfter()).Sub(now)
}

func endsIn(left time.Duration) string {
	if left <= 0 {
		return fmt.Sprintf("ended %s ago", daysText(-left))
	}
	return "ends in " + daysText(left)
}

func daysText(d time.Duration) string {
	if d < 2*day {
		return d.Round(time.Minute).String()
	}
	return fmt.Sprintf("%d days", d/day)
}

func (c *chart) ends(member string, cert *ballastv1.Certificate) {
	f := Finding{
		Check: "certificate-ending", Severity: Warning, Member: member, Page: pageCertificate,
		Do:    "where the authority is kept: ballast certs renew --ca-dir ca FILE; put the new file in the old one's place by a rename, then systemctl reload ballastd",
		DoNot: "do not write into the file in place, do not take TLS out, do not turn clocks back",
	}
	switch left := left(c.At, cert); {
	case c.At.Before(time.Unix(0, cert.GetNotBefore())):
		f.Severity, f.What = Critical, "its certificate is not in force yet: is a clock wrong, here, there, or where it was made?"
	case left <= 0:
		f.Check, f.Severity = "certificate-ended", Critical
		f.What = fmt.Sprintf("its certificate %s: connections that are open go on, new ones are refused", endsIn(left))
		f.DoNot = "do not restart it before it has a new one: it would be alone; " + f.DoNot
	case left < memberNow:
		f.Severity, f.What = Critical, "its certificate "+endsIn(left)
	case left < memberSoon:
		f.What = "its certificate " + endsIn(left)
	default:
		return
	}
	c.add(f)
}

// files tells of certificates' files that are not those in use.
func (c *chart) files(member string, x *ballastv1.ExamineResponse) {
	switch {
	case x.GetCertificatesProblem() != "":
		c.add(Finding{
			Check: "certificate-files", Severity: Warning, Member: member, Page: pageCertificate,
			What: "it would not start again with the certificates' files as they are now: " + x.GetCertificatesProblem(),
			Do:   "put the right files in their place, and check them: ballastd config check", DoNot: "do not restart it before",
		})
	case x.GetCertificatesChanged():
		c.add(Finding{
			Check: "certificates-not-loaded", Severity: Note, Member: member, Page: pageCertificate, What: "its certificates' files are newer than what it uses",
			Do: "systemctl reload ballastd, on its host", DoNot: "do not think that they are in use: ballast cluster doctor shows when",
		})
	}
}

func (c *chart) authorityEnds(a *authority) {
	left := left(c.At, a.Certificate)
	if left >= caSoon {
		return
	}
	f := Finding{
		Check: "authority-ending", Severity: Warning, Page: pageCertificate,
		What:  fmt.Sprintf("the authority %s, serial %s, %s; believed by %s", a.GetIdentity(), a.GetSerial(), endsIn(left), strings.Join(a.by, ", ")),
		Do:    "make another authority for the same cluster UUID, have all members believe both, then renew every certificate with it: docs/security.md",
		DoNot: "do not replace the authority everywhere at once: members of the old and the new would refuse each other",
	}
	if left < caNow {
		f.Severity = Critical
	}
	c.add(f)
}
