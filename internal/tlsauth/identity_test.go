package tlsauth

import (
	"crypto/x509"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestIdentityIsReadBackFromItsURI(t *testing.T) {
	for _, role := range []Role{Reader, Writer, Operator, Member} {
		want := Identity{Cluster: uuid.New(), Role: role, Name: "a.b_c-1"}
		other, err := url.Parse("https://example.com/")
		if err != nil {
			t.Fatal(err)
		}
		got, err := FromCertificate(&x509.Certificate{URIs: []*url.URL{other, want.URI()}})
		if err != nil || got != want {
			t.Errorf("%v was read back as %v: %v", want, got, err)
		}
	}
}

func FuzzParseURI(f *testing.F) {
	const cluster = "0190c0de-0000-7000-8000-000000000001"
	for _, seed := range []string{
		"ballast://" + cluster + "/member/node-1", "ballast://" + cluster + "/reader/", "ballast://" + cluster + "/captain/x",
		"ballast://" + cluster + "/member/a/b", "ballast://" + strings.ToUpper(cluster) + "/member/a", "ballast:opaque",
		"ballast://" + cluster + ":1/member/a", "ballast://" + cluster + "/member/a?x", "ballast://u@" + cluster + "/member/a#f",
		"ballast://" + cluster + "/mem%62er/a", "ballast://00000000-0000-0000-0000-000000000000/member/a",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil {
			return
		}
		id, err := parseURI(u)
		if err == nil && (id.URI().String() != u.String() || id.Check() != nil) {
			t.Fatalf("%q was accepted as %q", text, id.URI())
		}
	})
}

func TestRolesInclude(t *testing.T) {
	all := []Role{NoRole, Reader, Writer, Operator, Member}
	want := map[Role]string{NoRole: "", Reader: "reader", Writer: "reader writer", Operator: "reader writer operator", Member: "member"}
	for _, have := range all {
		var may []string
		for _, least := range all {
			if have.Includes(least) {
				may = append(may, least.String())
			}
		}
		if got := strings.Join(may, " "); got != want[have] {
			t.Errorf("%s includes %q, want %q", have, got, want[have])
		}
	}
}
