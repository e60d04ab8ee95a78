package e2e

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	"github.com/ballastdb/ballast/internal/tlsauth"
)

// secured is a cluster with TLS, and the command line with an operator's certificate.
type secured struct {
	t       *testing.T
	cluster *testcluster.Cluster
	program string
	files   tlsauth.Files
}

// ballast runs a command line and returns what it printed, errors apart, and its exit code.
func (s *secured) ballast(args ...string) (string, string, int) {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), s.program, args...)
	cmd.Env = append(cmd.Environ(), "BALLAST_ENDPOINTS="+strings.Join(s.cluster.Endpoints(), ","),
		"BALLAST_CA="+s.files.CA, "BALLAST_CERT="+s.files.Certificate, "BALLAST_KEY="+s.files.Key)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// found runs the doctor and lists what it found: "severity check member", with the words.
func (s *secured) found() (map[string]string, int) {
	s.t.Helper()
	out, errs, code := s.ballast("cluster", "doctor", "-o", "json")
	var view struct {
		Findings []struct{ Severity, Check, Member, What string }
	}
	if err := json.Unmarshal([]byte(out), &view); err != nil {
		s.t.Fatalf("%v: %s%s", err, out, errs)
	}
	all := map[string]string{}
	for _, f := range view.Findings {
		all[strings.TrimSpace(f.Severity+" "+f.Check+" "+f.Member)] = f.What
		s.t.Logf("%s (%s) %s: %s", f.Severity, f.Check, f.Member, f.What)
	}
	return all, code
}

// want fails where one of these was not found in these words.
func (s *secured) want(all map[string]string, findings map[string]string) {
	s.t.Helper()
	for key, words := range findings {
		if what, ok := all[key]; !ok || !strings.Contains(what, words) {
			s.t.Errorf("%s: found %q, want %q", key, what, words)
		}
	}
}

// Of three members one is stopped, one has a certificate near its end, one was started with another configuration and does not reach the
// leader: the doctor finds each. What a debug bundle of them has is of use, and has no key in it and nothing of accounts.
func TestDoctorAndDebugBundle(t *testing.T) {
	cluster := testcluster.Start(t, testcluster.Options{TLS: true})
	files, err := cluster.Issue(tlsauth.Operator, "me")
	must(t, err)
	s := &secured{t, cluster, ballastProgram(t), files}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	planted := plant(ctx, t, dialWith(t, cluster, client.WithTLS(files.CA, files.Certificate, files.Key)))

	all, _ := s.found()
	for finding := range all {
		if !strings.Contains(finding, "disk-slow") && !strings.Contains(finding, "slow-way") { // this machine may be busy
			t.Errorf("in a cluster that is well it finds %q", finding)
		}
	}

	leader, err := cluster.WaitLeader(ctx)
	must(t, err)
	others := slices.DeleteFunc(slices.Clone(cluster.Members), func(m *testcluster.Member) bool { return m == leader })
	drifted, stopped := others[0], others[1]
	must(t, cluster.RenewFor(leader, 3*24*time.Hour+time.Hour))
	must(t, leader.Hangup())
	must(t, drifted.Stop(ctx))
	edit(t, drifted, `log_level = "debug"`, `log_level = "info"`)
	must(t, drifted.Start())
	must(t, cluster.WaitEqual(ctx))
	must(t, stopped.Stop(ctx))
	// A key where its path belongs, and connections to the leader that carry nothing.
	key, err := os.ReadFile(drifted.TLS.Key)
	must(t, err)
	edit(t, drifted, fmt.Sprintf("tls_key = %q", drifted.TLS.Key), fmt.Sprintf("tls_key = %q", key))
	must(t, drifted.SetFaults(faults.Faults{StallWritesTo: []string{leader.MemberAddress}}))

	all, code := s.found()
	s.want(all, map[string]string{
		"warning member-silent " + stopped.Name:      "connection refused",
		"warning no-spare":                           "2 of 3 voters answer",
		"critical certificate-ending " + leader.Name: "its certificate ends in 3 days",
		"warning drift " + drifted.Name:              `log_level was "debug", is "info"`,
		"note configuration-pending " + drifted.Name: "will be \"[a private key was here]",
		"critical unreachable " + drifted.Name:       "it does not reach " + leader.Name + ": member address " + leader.MemberAddress + " (no answer within",
	})
	if code != 1 {
		t.Errorf("it exits %d, want 1", code)
	}
	out, _, _ := s.ballast("cluster", "doctor")
	if !strings.HasPrefix(out, "CRITICAL (") || !strings.Contains(out, "    do not: ") || !strings.Contains(out, "2 of 3 members answered") {
		t.Errorf("in words:\n%s", out)
	}
	s.checkBundle(leader, drifted, stopped, planted)
}

// plant has accounts, references and operation ids that can be told from everything else, in changes that are done and that are refused.
func plant(ctx context.Context, t *testing.T, c *client.Client) []string {
	t.Helper()
	const account, unknown, reference, id = "planted-account-4711", "planted-unknown-4712", "planted-reference-4713", "planted-operation-4714"
	_, err := c.CreateLedger(ctx, "usd", "USD", 2)
	must(t, err)
	_, err = c.CreateAccount(ctx, account, "usd", client.Limits{})
	must(t, err)
	credit := client.NewCredit(account, 7)
	credit.Reference = reference
	results, err := c.Submit(ctx, credit, client.NewDebit(account, 1_000), client.NewCredit(unknown, 1))
	must(t, err)
	must(t, client.AsRefusal(credit, results[0]))
	odd := client.NewCredit(account+"\x00", 1)
	odd.Id = id
	if _, err := c.Submit(ctx, odd); err == nil {
		t.Error("an account id with a zero byte was taken")
	}
	if _, err := c.Account(ctx, unknown); err == nil {
		t.Error("an account that does not exist was read")
	}
	return []string{account, unknown, reference, id}
}

// edit changes a member's configuration file.
func edit(t *testing.T, m *testcluster.Member, from, to string) {
	t.Helper()
	path := filepath.Join(m.Dir, "ballastd.toml")
	text, err := os.ReadFile(path)
	must(t, err)
	if !bytes.Contains(text, []byte(from)) {
		t.Fatalf("%s has no %s:\n%s", path, from, text)
	}
	must(t, os.WriteFile(path, bytes.ReplaceAll(text, []byte(from), []byte(to)), 0o600))
}

// checkBundle makes a bundle and looks what is in it.
func (s *secured) checkBundle(leader, drifted, stopped *testcluster.Member, planted []string) {
	s.t.Helper()
	file := filepath.Join(s.t.TempDir(), "bundle.tar.gz")
	if out, errs, code := s.ballast("debug", "bundle", "--heap", file); code != 0 || !strings.Contains(errs, "missing: "+stopped.Name) || !strings.Contains(out, "2 of 3") {
		s.t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	files := s.unpack(file)
	for name, want := range map[string]string{
		"README.txt": stopped.Name, "doctor.txt": "member-silent", "settings.json": "idWindow",
		"members/" + leader.Name + "/log.jsonl": "the member is up", "members/" + leader.Name + "/metrics.txt": `ballast_raft_state{state="leader"} 1`,
		"members/" + leader.Name + "/goroutines.txt": "server/node", "members/" + leader.Name + "/heap.pprof": "",
		"members/" + drifted.Name + "/log.jsonl": "configured otherwise than at the last good run", "members/" + drifted.Name + "/configuration.txt": `log_level = "info"  # file `,
		"members/" + drifted.Name + "/examination.json": "a private key was here", "members/" + leader.Name + "/audit.json": "AddMember",
	} {
		if text, ok := files[name]; !ok || !strings.Contains(text, want) {
			s.t.Errorf("%s (%d bytes) does not say %q", name, len(text), want)
		}
	}
	secrets := append(s.keyLines(), planted...)
	for name, text := range files {
		for _, secret := range secrets {
			if strings.Contains(text, secret) {
				s.t.Errorf("%s has %q in it", name, secret)
			}
		}
	}
}

// keyLines are all lines of all private keys that lie below the cluster's directory.
func (s *secured) keyLines() (lines []string) {
	s.t.Helper()
	top := filepath.Dir(s.cluster.Member(1).Dir)
	must(s.t, filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".key" {
			return err
		}
		text, err := os.ReadFile(path)
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "---") {
				lines = append(lines, line)
			}
		}
		return err
	}))
	if len(lines) < 10 {
		s.t.Fatalf("found only %d lines of keys below %s", len(lines), top)
	}
	return lines
}

// unpack reads a bundle: content by name, without the directory on top. What is compressed in it is there both ways.
func (s *secured) unpack(file string) map[string]string {
	s.t.Helper()
	f, err := os.Open(file)
	must(s.t, err)
	defer f.Close()
	zip, err := gzip.NewReader(f)
	must(s.t, err)
	files := map[string]string{}
	for archive := tar.NewReader(zip); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		must(s.t, err)
		content, err := io.ReadAll(archive)
		must(s.t, err)
		_, name, _ := strings.Cut(header.Name, "/")
		files[name] = string(content)
		if plain, err := gzip.NewReader(bytes.NewReader(content)); err == nil {
			inside, err := io.ReadAll(plain)
			must(s.t, err)
			files[name+" (inside)"] = string(inside)
		}
	}
}
