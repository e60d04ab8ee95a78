// Package pgtest runs a real PostgreSQL server for a test: a cluster of its own, reached by a socket in a directory of its own
// and by nothing else, gone with the test.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/ballastdb/ballast/internal/childproc"
)

// patience bounds every wait; on a busy machine a server may take long to start.
const patience = 2 * time.Minute

// Server is a running server.
type Server struct {
	dir        string
	credential *syscall.Credential // nil: as this process
	process    *childproc.Process
}

// Start starts a server of version 15 or later, or skips the test and says why. It keeps nothing safe from a power cut.
func Start(t *testing.T) *Server {
	t.Helper()
	bin, err := programs()
	if err != nil {
		t.Skip(err)
	}
	s, err := prepare(t)
	if err != nil {
		t.Skip(err)
	}
	data := filepath.Join(s.dir, "data")
	initdb := exec.CommandContext(t.Context(), filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
	initdb.Dir, initdb.Env = s.dir, []string{"PATH=" + bin + ":/usr/bin:/bin", "LC_ALL=C"}
	initdb.SysProcAttr = &syscall.SysProcAttr{Credential: s.credential}
	if output, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, output)
	}
	s.process, err = childproc.Start(childproc.Spec{
		Path: filepath.Join(bin, "postgres"), Dir: s.dir, Env: []string{"LC_ALL=C"}, Credential: s.credential,
		Args:    []string{"-D", data, "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "timezone=UTC"},
		LogFile: filepath.Join(s.dir, "log"), StopSignal: syscall.SIGINT, // fast: without waiting for connections
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.stop(t) })
	s.await(t)
	return s
}

// programs is the directory of the server's programs.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil || len(found) == 0 {
		return "", errors.New("no PostgreSQL server is installed here (Debian: apt-get install postgresql)")
	}
	return filepath.Dir(found[len(found)-1]), nil
}

// prepare makes the directory, of a user that the server may run as: it refuses to be root.
func prepare(t *testing.T) (*Server, error) {
	t.Helper()
	dir, err := os.MkdirTemp("", "ballast-pg-") //nolint:usetesting // other users cannot pass t.TempDir, and a socket's path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &Server{dir: dir}
	if os.Getuid() != 0 {
		return s, nil
	}
	who, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, err := strconv.ParseUint(who.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(who.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	s.credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return s, os.Chown(dir, int(uid), int(gid))
}

func (s *Server) await(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), s.Connect("postgres"))
		if err == nil {
			_ = conn.Close(t.Context())
			return
		}
		select {
		case <-s.process.Exited():
			t.Fatalf("the server ended: %v\n%s", err, s.log())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the server does not answer: %v\n%s", err, s.log())
		}
	}
}

func (s *Server) log() string { return childproc.Tail(filepath.Join(s.dir, "log")) }

func (s *Server) stop(t *testing.T) {
	if s.process.Stop(patience) {
		t.Errorf("the server had to be killed\n%s", s.log())
	}
}

// Connect is the connection string of a database.
func (s *Server) Connect(database string) string {
	return fmt.Sprintf("host=%s user=postgres dbname=%s", s.dir, database)
}

// Database makes an empty database of this name and answers its connection string.
func (s *Server) Database(t *testing.T, name string) string {
	t.Helper()
	Do(t, s.Connect("postgres"), "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return s.Connect(name)
}

// Do runs statements on a connection of their own.
func Do(t *testing.T, connect string, statements ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, connect)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	for _, statement := range statements {
		if _, err := conn.Exec(ctx, statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
