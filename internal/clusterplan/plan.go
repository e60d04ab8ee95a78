// Package clusterplan writes what the hosts of a new cluster need: a folder for each, with its configuration, certificates and
// the commands in order, and beside them one for the authority and one for the operator.
//
//	OUT/plan.json                what was planned: the cluster's UUID, its name, the hosts
//	OUT/authority/               ca.crt, ca.key: whoever has the key makes certificates of every role
//	OUT/operator/                ca.crt, operator.crt, operator.key, README.md: how the cluster is formed
//	OUT/NAME-I/                  ballastd.toml, ca.crt, member.crt, member.key, README.md
//
// A second run with the same name and hosts makes what is missing and changes nothing that is there; with others it is
// refused. Configurations and READMEs are renamed into place; a key without its certificate, left by an interruption, is
// refused with the file's name.
package clusterplan

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/internal/durable"
	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// Ports of every member.
const (
	clientPort   = "7401"
	memberPort   = "7411"
	operatorPort = "7421"
)

// Options of a plan.
type Options struct {
	// Name of the cluster; members are NAME-1, NAME-2 and so on.
	Name string
	// Hosts at which each member is reached, one a member.
	Hosts []string
	// Out is the directory of the plan.
	Out string
	// InPlace: members run in their folders of Out, without the package; to try a plan on one machine.
	InPlace bool
}

// Plan is what is written once and kept.
type Plan struct {
	ClusterID uuid.UUID `json:"cluster_id"`
	Name      string    `json:"name"`
	Hosts     []string  `json:"hosts"`
	InPlace   bool      `json:"in_place"`
}

// Write makes the plan, or what is missing of it, and returns it.
func Write(o Options) (Plan, error) {
	if err := o.check(); err != nil {
		return Plan{}, err
	}
	out, err := filepath.Abs(o.Out)
	if err != nil {
		return Plan{}, err
	}
	p, err := o.keep(out)
	if err != nil {
		return Plan{}, err
	}
	authority, err := p.authority(filepath.Join(out, "authority"))
	if err != nil {
		return p, err
	}
	for i := range p.Hosts {
		if err := p.member(out, i, authority); err != nil {
			return p, err
		}
	}
	return p, p.operator(out, authority)
}

func (o Options) check() error {
	if err := tlsauth.CheckName(o.Name + "-1"); err != nil {
		return fmt.Errorf("name: %w", err)
	}
	// Before anything is written: what is written once is kept, and could not be made again with the right ones.
	seen := map[string]bool{}
	for _, host := range o.Hosts {
		if err := pki.CheckHost(host); err != nil {
			return fmt.Errorf("hosts: %w", err)
		}
		same := strings.ToLower(host)
		if ip := net.ParseIP(host); ip != nil {
			same = ip.String()
		}
		if seen[same] {
			return fmt.Errorf("hosts: want a different one for each member, found %q", o.Hosts)
		}
		seen[same] = true
	}
	if len(o.Hosts) == 0 || len(o.Hosts) > 9 {
		return fmt.Errorf("hosts: want 1 to 9, 3 to survive the loss of one, found %d", len(o.Hosts))
	}
	return nil
}

// keep writes the plan down, or reads that of an earlier run, which must be the same.
func (o Options) keep(out string) (Plan, error) {
	path := filepath.Join(out, "plan.json")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		p := Plan{uuid.New(), o.Name, o.Hosts, o.InPlace}
		if data, err = json.MarshalIndent(p, "", "  "); err != nil {
			return p, err
		}
		return p, errors.Join(os.MkdirAll(out, 0o700), missing(path, string(data)+"\n", 0o600))
	}
	if err != nil {
		return Plan{}, err
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	if p.Name != o.Name || !slices.Equal(p.Hosts, o.Hosts) || p.InPlace != o.InPlace {
		return p, fmt.Errorf("%s: it is the plan of %s on %q, wanted one of %s on %q: name another directory; a member for a running "+
			"cluster gets its certificate from ballast certs issue", path, p.Name, p.Hosts, o.Name, o.Hosts)
	}
	return p, nil
}

func (p Plan) authority(dir string) (*pki.Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := missing(filepath.Join(dir, "README.md"), authorityReadme, 0o600); err != nil {
		return nil, err
	}
	certificate, key := pki.Paths(dir, "ca")
	if _, err := os.Stat(key); err == nil {
		pair, err := pki.Read(certificate, key)
		if err != nil {
			return nil, err
		}
		return pki.LoadAuthority(pair)
	}
	a, err := pki.NewAuthority(p.ClusterID, pki.DefaultAuthorityLife, time.Now())
	if err != nil {
		return nil, err
	}
	return a, pki.Write(dir, "ca", a.Pair())
}

// issue makes a certificate, unless it is there.
func issue(a *pki.Authority, dir, file string, r pki.Request) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := missing(filepath.Join(dir, "ca.crt"), string(a.Pair().Certificate), 0o644); err != nil {
		return err
	}
	certificate, _ := pki.Paths(dir, file)
	if _, err := os.Stat(certificate); err == nil {
		return nil
	}
	pair, err := a.Issue(r, time.Now())
	if err != nil {
		return err
	}
	return pki.Write(dir, file, pair)
}

func (p Plan) member(out string, i int, a *pki.Authority) error {
	name, host := fmt.Sprintf("%s-%d", p.Name, i+1), p.Hosts[i]
	dir := filepath.Join(out, name)
	err := issue(a, dir, "member", pki.Request{
		Identity: tlsauth.Identity{Cluster: p.ClusterID, Role: tlsauth.Member, Name: name}, Hosts: []string{host}, Life: pki.DefaultLife,
	})
	if err != nil {
		return fmt.Errorf("the certificate of %s: %w", name, err)
	}
	at := func(port string) string { return net.JoinHostPort(host, port) }
	data, tls := "/var/lib/ballast/data", "/etc/ballast/tls"
	if p.InPlace {
		data, tls = filepath.Join(dir, "data"), dir
	}
	configuration := fmt.Sprintf(memberConfiguration, name, data, at(clientPort), at(memberPort), at(operatorPort), tls, tls, tls)
	readme := fmt.Sprintf(memberReadme, name, host, p.ClusterID, name)
	if p.InPlace {
		readme = fmt.Sprintf(memberReadmeInPlace, name, host, p.ClusterID, name)
	}
	return errors.Join(missing(filepath.Join(dir, "ballastd.toml"), configuration, 0o644), missing(filepath.Join(dir, "README.md"), readme, 0o644))
}

func (p Plan) operator(out string, a *pki.Authority) error {
	dir := filepath.Join(out, "operator")
	err := issue(a, dir, "operator", pki.Request{
		Identity: tlsauth.Identity{Cluster: p.ClusterID, Role: tlsauth.Operator, Name: "operator"}, Life: pki.DefaultLife,
	})
	if err != nil {
		return fmt.Errorf("the operator's certificate: %w", err)
	}
	return missing(filepath.Join(dir, "README.md"), p.operatorReadme(), 0o600)
}

// missing writes a file, unless it is there.
func missing(path, text string, mode fs.FileMode) error {
	if _, err := os.Lstat(path); err == nil {
		return nil
	}
	return durable.WriteFile(path, []byte(text), mode)
}
