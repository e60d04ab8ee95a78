package main

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/render"
)

// authorityName is the name of the authority's files in its directory.
const authorityName = "ca"

// day is how certificates' lives are counted on the command line.
const day = 24 * time.Hour

// days reads a number of days.
func days(flag string, n int) (time.Duration, error) {
	if n < 1 || n > 30*365 {
		return 0, usagef("--%s %d: expected 1 to %d days", flag, n, 30*365)
	}
	return time.Duration(n) * day, nil
}

// loadAuthority reads the authority that lies in a directory.
func loadAuthority(dir string) (*pki.Authority, error) {
	if dir == "" {
		return nil, usagef("--ca-dir is missing: the directory that ballast certs ca made")
	}
	certificate, key := pki.Paths(dir, authorityName)
	pair, err := pki.Read(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("the authority in %s: %w", dir, err)
	}
	authority, err := pki.LoadAuthority(pair)
	if err != nil {
		return nil, fmt.Errorf("the authority in %s: %w", dir, err)
	}
	return authority, nil
}

// makeDirectory makes a directory for keys, unless it is there.
func makeDirectory(path string) error { return os.MkdirAll(path, 0o700) }

// certificateView is a certificate in JSON.
type certificateView struct {
	File string `json:"file"`
	// Identity is its URI.
	Identity    string    `json:"identity"`
	Hosts       []string  `json:"hosts"`
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	DaysLeft    int       `json:"days_left"`
	State       string    `json:"state"`
	Serial      string    `json:"serial"`
	Issuer      string    `json:"issuer"`
	Fingerprint string    `json:"sha256"`
}

func viewCertificate(file string, c *x509.Certificate, now time.Time) certificateView {
	sum := sha256.Sum256(c.Raw)
	v := certificateView{
		File: file, Hosts: pki.Hosts(c), NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), State: "in force",
		DaysLeft: int(c.NotAfter.Sub(now) / day), Serial: c.SerialNumber.Text(16), Issuer: c.Issuer.CommonName,
		Fingerprint: hex.EncodeToString(sum[:]),
	}
	for _, u := range c.URIs {
		v.Identity = strings.TrimSpace(v.Identity + " " + u.String())
	}
	switch {
	case now.After(c.NotAfter):
		v.State = "expired"
	case now.Before(c.NotBefore):
		v.State = "not yet in force"
	case v.DaysLeft < 30:
		v.State = "ends soon: renew it"
	}
	return v
}

// writeCertificates shows certificates.
func (a *app) writeCertificates(views []certificateView) error {
	g := &render.Grid{Columns: []render.Column{
		{Name: "file"}, {Name: "identity"}, {Name: "hosts"}, {Name: "ends"}, {Name: "days_left", Right: true}, {Name: "state"}, {Name: "serial"},
	}}
	for _, v := range views {
		g.Add(v.File, v.Identity, strings.Join(v.Hosts, " "), v.NotAfter.Format("2006-01-02"), fmt.Sprint(v.DaysLeft), v.State, v.Serial)
	}
	return a.write(g, map[string]any{"certificates": views})
}

// writeFile shows the first certificate of a file.
func (a *app) writeFile(path string) error {
	views, err := viewFile(path, time.Now())
	if err != nil {
		return err
	}
	return a.writeCertificates(views[:1])
}

// viewFile reads all certificates of a file.
func viewFile(path string, now time.Time) ([]certificateView, error) {
	text, err := pki.ReadFile(path)
	if err != nil {
		return nil, err
	}
	list, err := pki.ParseCertificates(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var views []certificateView
	for _, c := range list {
		views = append(views, viewCertificate(path, c, now))
	}
	return views, nil
}
