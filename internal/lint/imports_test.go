package lint

import (
	"slices"
	"strings"
	"testing"
)

// rule says what packages must not depend on, directly or through others. Tests of a package are free.
type rule struct {
	folder string   // of the module; the rule holds for it and for what is below it
	except []string // but not for these
	direct bool     // look at the package's own imports only

	folders []string // forbidden: these folders of the module and what is below them
	paths   []string // forbidden: these packages of the standard library and other modules and what is below them
	// onlyStdlib forbids everything but the standard library, the folder itself and allow.
	onlyStdlib bool
	allow      []string

	why string
}

var rules = []rule{
	{folder: "fsm/page", onlyStdlib: true, why: "a leaf: pages know no money, no raft, no network"},
	{
		folder: "fsm/ledger", onlyStdlib: true, allow: []string{"fsm/page", "internal/planted"},
		why: "pure accounting: the same on every member, whatever carries it",
	},
	{
		folder: "fsm/ledger", direct: true, paths: []string{"os", "net", "context", "math/rand", "hash/maphash", "io/fs"},
		why: "no clock, disk, goroutine or chance in what every member must compute alike",
	},
	{
		folder: "fsm/proposal", onlyStdlib: true, allow: []string{"fsm/ledger", "fsm/page", "internal/planted"},
		why: "a codec: bytes to operations and back",
	},
	{folder: "census", onlyStdlib: true, allow: []string{"internal/guard"}, why: "a judgement on what it is told; server/node asks"},
	{
		folder: "internal/doctor", folders: []string{"fsm", "server", "transport", "client", "logstore", "config", "datadir"},
		why: "a judgement on what it is told; the command line asks",
	},
	{folder: "fsm/upkeep", onlyStdlib: true, allow: []string{"fsm/page"}, why: "part of the replicated state"},
	{folder: "fsm/roster", onlyStdlib: true, allow: []string{"fsm/page"}, why: "part of the replicated state"},
	{
		folder: "fsm", folders: []string{"transport", "server", "client", "logstore", "snapshots", "config", "datadir", "cmd"}, paths: []string{"google.golang.org/grpc"},
		why: "the state machine is told what to do; it does not know how that reached it",
	},
	{
		folder: "transport", folders: []string{"fsm", "server", "client", "logstore", "datadir", "proto/ballast"},
		why: "the transport carries bytes; it knows nothing of money",
	},
	{
		folder: "logstore", folders: []string{"fsm", "server", "client", "transport"}, paths: []string{"google.golang.org/grpc"},
		why: "the log store keeps bytes; it knows nothing of money",
	},
	{folder: "snapshots", folders: []string{"fsm/ledger", "server", "client"}, why: "snapshots keep pages; they know nothing of money"},
	{folder: "backup", except: []string{"backup/content"}, onlyStdlib: true, why: "a format: the command line reads it too"},
	{folder: "backup/content", folders: []string{"server", "client", "transport", "logstore", "datadir"}, why: "it works on what it is given; server/node wires it"},
	{folder: "repair", folders: []string{"server", "client", "transport", "logstore"}, why: "repair works on what it is given; server/node wires it"},
	{
		folder: "client", folders: []string{"fsm", "server", "transport", "logstore", "datadir", "config", "proto/raft"}, paths: []string{"github.com/hashicorp/raft", "github.com/jackc"},
		why: "callers import the client: it must not bring the server along",
	},
	{
		folder: "server", except: []string{"server/node"}, folders: []string{"server/node", "datadir", "logstore", "cmd", "client"}, paths: []string{"github.com/hashicorp/raft-boltdb"},
		why: "server/node is the one place that wires everything",
	},
	{
		folder: "cmd/ballast", folders: []string{"fsm", "server", "transport", "logstore"}, paths: []string{"github.com/hashicorp/raft"},
		why: "the command line is one more client",
	},
	{folder: "proto", folders: []string{"fsm", "server", "transport", "client", "internal"}, why: "the wire depends on nothing of ours"},
	{
		folder: "internal/tlsauth", folders: []string{"fsm", "server", "transport", "client", "config", "datadir"},
		why: "members and clients stand on it, and callers import it with the client",
	},
	{folder: "internal/moneywire", onlyStdlib: true, why: "callers import it with the client, and the server knows no client"},
	{folder: "internal/guard", onlyStdlib: true, why: "asked from everywhere"},
	{folder: "internal/planted", onlyStdlib: true, why: "asked from everywhere"},
	{
		folder: "", except: []string{"tests", "internal/testcluster", "cmd", "internal/devtools"},
		direct: true, folders: []string{"internal/testcluster", "tests", "cmd"},
		why: "what ships does not depend on what tests it",
	},
}

func TestImportsRunOneWay(t *testing.T) {
	packages := load(t)
	matched := map[string]bool{}
	for _, r := range rules {
		for _, p := range packages {
			if !p.under(r.folder) || slices.ContainsFunc(r.except, p.under) {
				continue
			}
			matched[r.folder] = true
			imports := p.Deps
			if r.direct {
				imports = p.Imports
			}
			for _, path := range imports {
				if r.forbids(path) {
					t.Errorf("%s imports %s (directly or through another): %s", p.folder(), short(path), r.why)
				}
			}
		}
	}
	for _, folder := range []string{"fsm/page", "fsm/ledger", "proto"} {
		if !matched[folder] {
			t.Errorf("no package below %s was looked at: has it moved?", folder)
		}
	}
}

func (r rule) forbids(path string) bool {
	own, inModule := strings.CutPrefix(path, module+"/")
	in := func(folder string) bool { return below(own, folder) }
	switch {
	case !inModule && r.onlyStdlib:
		return !stdlib(path)
	case !inModule:
		return slices.ContainsFunc(r.paths, func(p string) bool { return below(path, p) })
	case r.onlyStdlib:
		return !in(r.folder) && !slices.ContainsFunc(r.allow, in)
	}
	return slices.ContainsFunc(r.folders, in)
}

func below(path, folder string) bool { return path == folder || strings.HasPrefix(path, folder+"/") }

func stdlib(path string) bool { return !strings.Contains(strings.SplitN(path, "/", 2)[0], ".") }

func TestRulesForbid(t *testing.T) {
	find := func(folder string, direct bool) rule {
		for _, r := range rules {
			if r.folder == folder && r.direct == direct {
				return r
			}
		}
		t.Fatalf("no rule for %s", folder)
		return rule{}
	}
	for _, c := range []struct {
		r    rule
		path string
		want bool
	}{
		{find("fsm/page", false), "os", false},
		{find("fsm/page", false), "github.com/hashicorp/go-hclog", true},
		{find("fsm/page", false), module + "/fsm/ledger", true},
		{find("fsm/ledger", false), module + "/fsm/page", false},
		{find("fsm/ledger", false), module + "/fsm", true},
		{find("fsm/ledger", true), "os", true},
		{find("fsm/ledger", true), "encoding/binary", false},
		{find("fsm", false), "google.golang.org/grpc/status", true},
		{find("fsm", false), module + "/transport", true},
		{find("fsm", false), module + "/fsm/ledger", false},
		{find("client", false), "google.golang.org/grpc/internal/transport", false},
		{find("client", false), module + "/server", true},
	} {
		if got := c.r.forbids(c.path); got != c.want {
			t.Errorf("rule for %s, import of %s: forbidden %v, wanted %v", c.r.folder, c.path, got, c.want)
		}
	}
}
