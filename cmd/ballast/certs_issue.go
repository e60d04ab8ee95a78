package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/ballastdb/ballast/internal/pki"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// issueFlags say for whom a certificate is.
type issueFlags struct {
	authority, out, member, client, role string
	hosts                                []string
	life                                 int
}

func newCertsIssueCommand(a *app) *cobra.Command {
	var f issueFlags
	cmd := &cobra.Command{
		Use:   "issue --ca-dir DIR --out DIR (--member NAME --host H... | --client NAME --role ROLE)",
		Short: "Make a certificate and key for a member or a client",
		Long: "Make OUT/NAME.crt and OUT/NAME.key, mode 0600, for a member or a client. A member's certificate\n" +
			"names the hosts of its three addresses. A client's has a role: reader (balances, statements, status),\n" +
			"writer (moves money too) or operator (changes the cluster too). Nothing is overwritten.",
		Example: "  ballast certs issue --ca-dir ca --out node-1 --member node-1 --host 10.0.0.1 --host db1.example.com\n" +
			"  ballast certs issue --ca-dir ca --out billing --client billing --role writer",
		Args: args(),
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		request, err := f.request()
		if err != nil {
			return err
		}
		return a.issue(f, request)
	}
	flags := cmd.Flags()
	flags.StringVar(&f.authority, "ca-dir", "", "`directory` of the authority's files")
	flags.StringVar(&f.out, "out", "", "`directory` for the certificate and its key; made where it is missing")
	flags.StringVar(&f.member, "member", "", "the member's `name`, as ballastd init gets it")
	flags.StringArrayVar(&f.hosts, "host", nil, "a `host` name or IP address at which the member is reached; repeat it for each")
	flags.StringVar(&f.client, "client", "", "the client's `name`, for logs")
	flags.StringVar(&f.role, "role", "", "the client's `role`: reader, writer or operator")
	flags.IntVar(&f.life, "days", int(pki.DefaultLife/day), "how many days it is in force")
	return cmd
}

// request is what the flags ask for, but for the cluster.
func (f issueFlags) request() (r pki.Request, err error) {
	if f.out == "" {
		return r, usagef("--out is missing: the directory for the certificate and its key")
	}
	if r.Life, err = days("days", f.life); err != nil {
		return r, err
	}
	switch {
	case (f.member == "") == (f.client == ""):
		return r, usagef("give --member NAME or --client NAME, one of them")
	case f.member != "" && f.role != "":
		return r, usagef("--role %s: a member has no role of clients", f.role)
	case f.member != "" && len(f.hosts) == 0:
		return r, usagef("--host is missing: the hosts of the member's addresses, which others check")
	case f.client != "" && len(f.hosts) > 0:
		return r, usagef("--host %s: nobody connects to a client", f.hosts[0])
	}
	r.Hosts = f.hosts
	r.Identity = tlsauth.Identity{Role: tlsauth.Member, Name: f.member}
	if f.client != "" {
		role, err := tlsauth.ParseRole(f.role)
		if err != nil || role == tlsauth.Member {
			return r, usagef("--role %q: expected reader, writer or operator", f.role)
		}
		r.Identity = tlsauth.Identity{Role: role, Name: f.client}
	}
	if err := tlsauth.CheckName(r.Identity.Name); err != nil {
		return r, usagef("%v", err)
	}
	return r, nil
}

func (a *app) issue(f issueFlags, r pki.Request) error {
	authority, err := loadAuthority(f.authority)
	if err != nil {
		return err
	}
	if r.Identity.Cluster, err = authority.Cluster(); err != nil {
		return err
	}
	pair, err := authority.Issue(r, time.Now())
	if err != nil {
		return err
	}
	if err := makeDirectory(f.out); err != nil {
		return err
	}
	if err := pki.Write(f.out, r.Identity.Name, pair); err != nil {
		return err
	}
	certificate, key := pki.Paths(f.out, r.Identity.Name)
	a.note("made %s and %s", certificate, key)
	if wanted := time.Now().Add(r.Life); authority.Certificate().NotAfter.Before(wanted) {
		a.note("it ends with the authority, on %s", authority.Certificate().NotAfter.UTC().Format("2006-01-02"))
	}
	return a.writeFile(certificate)
}
