package testcluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"google.golang.org/grpc"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Member is one ballastd of a Cluster: a data directory, addresses and, while it runs, a process. Its methods are for
// one goroutine at a time.
type Member struct {
	// Number counts from 1; Name is the member's name.
	Number int
	Name   string
	// Dir holds its configuration, log, faults file and, below data, its data directory.
	Dir string
	// ClientAddress, MemberAddress and OperatorAddress are host:port.
	ClientAddress, MemberAddress, OperatorAddress string
	// TLS are the member's certificates in a cluster with TLS.
	TLS tlsauth.Files

	cluster *Cluster
	binary  string // of its own; empty: the cluster's
	process *process
	conn    *grpc.ClientConn
	faults  faults.Faults
}

// DataDir is the member's data directory.
func (m *Member) DataDir() string { return filepath.Join(m.Dir, "data") }

// LogPath is the file that all runs of the process append their output to.
func (m *Member) LogPath() string { return filepath.Join(m.Dir, "ballastd.log") }

func (m *Member) configPath() string  { return filepath.Join(m.Dir, "ballastd.toml") }
func (m *Member) faultsPath() string  { return filepath.Join(m.Dir, "faults.json") }
func (m *Member) trafficPath() string { return filepath.Join(m.Dir, "traffic.json") }

// init makes the member's directories, its configuration and its data directory.
func (m *Member) init(ctx context.Context) error {
	if err := os.MkdirAll(m.Dir, 0o700); err != nil {
		return err
	}
	var file strings.Builder
	for _, kv := range [][2]string{
		{"data_dir", m.DataDir()},
		{"client_address", m.ClientAddress},
		{"member_address", m.MemberAddress},
		{"operator_address", m.OperatorAddress},
	} {
		fmt.Fprintf(&file, "%s = %q\n", kv[0], kv[1])
	}
	if err := m.secure(&file); err != nil {
		return err
	}
	for key, value := range m.cluster.options.Config {
		fmt.Fprintf(&file, "%s = %q\n", key, value)
	}
	if err := os.WriteFile(m.configPath(), []byte(file.String()), 0o600); err != nil {
		return err
	}
	return m.initData(ctx)
}

func (m *Member) initData(ctx context.Context, more ...string) error {
	cmd := exec.CommandContext(ctx, m.cluster.binary, append([]string{
		"init", "--data-dir", m.DataDir(), "--cluster-id", m.cluster.ID.String(), "--name", m.Name,
	}, more...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ballastd init of %s: %w\n%s", m.Name, err, out)
	}
	return nil
}

// Wipe replaces the data directory of a member that does not run by a new one under the same name, as after the loss of a
// disk.
func (m *Member) Wipe(ctx context.Context) error { return m.wipe(ctx) }

// WipeTo does it for a cluster that was recovered to an epoch.
func (m *Member) WipeTo(ctx context.Context, epoch string) error {
	return m.wipe(ctx, "--recovery-epoch", epoch)
}

func (m *Member) wipe(ctx context.Context, more ...string) error {
	if m.Running() {
		return fmt.Errorf("%s runs", m.Name)
	}
	if err := os.RemoveAll(m.DataDir()); err != nil {
		return err
	}
	return m.initData(ctx, more...)
}

// Program gives the member another build of ballastd from its next start on: with these build tags and "faults".
func (m *Member) Program(ctx context.Context, tags ...string) error {
	// A file of its own for each: the one that runs cannot be written.
	path := filepath.Join(m.Dir, "ballastd-"+strings.Join(append([]string{"plain"}, tags...), "-"))
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	m.binary = path
	return binary(ctx, tags, path)
}

// Restore replaces the data directory of a member that has not run by one made of a backup: this member begins the cluster then,
// without Form.
func (m *Member) Restore(ctx context.Context, backup string) error {
	if err := os.RemoveAll(m.DataDir()); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, m.cluster.binary, "restore", backup, "--config", m.configPath(),
		"--cluster-id", m.cluster.ID.String(), "--name", m.Name)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("ballastd restore of %s: %w\n%s", m.Name, err, out)
	}
	return nil
}

// Start starts the process, unless it runs. It does not wait until the member answers.
func (m *Member) Start() error {
	if m.Running() {
		return nil
	}
	env := append([]string{
		faults.EnvFile + "=" + m.faultsPath(), faults.EnvTraffic + "=" + m.trafficPath(), "GORACE=halt_on_error=1",
	}, m.cluster.options.Env...)
	p, err := startProcess(m.LogPath(), cmp.Or(m.binary, m.cluster.binary), []string{"run", "--config", m.configPath()}, env)
	if err != nil {
		return err
	}
	m.process = p
	return nil
}

// Running tells whether the process has been started and has not ended. A paused process runs.
func (m *Member) Running() bool { return m.process != nil && m.process.running() }

// PID is the process's id, of the last run where it has ended; 0 before the first.
func (m *Member) PID() int {
	if m.process == nil {
		return 0
	}
	return m.process.pid
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (m *Member) Kill() error {
	if m.process == nil {
		return nil
	}
	return m.process.kill()
}

// Pause stops the process with SIGSTOP; Resume lets it go on.
func (m *Member) Pause() error { return m.signal(syscall.SIGSTOP) }

// Resume lets a paused process go on.
func (m *Member) Resume() error { return m.signal(syscall.SIGCONT) }

// Terminate asks the process to stop in order, with SIGTERM, and does not wait: see Wait.
func (m *Member) Terminate() error { return m.signal(syscall.SIGTERM) }

// Hangup sends SIGHUP: the member reads its log level and certificates again.
func (m *Member) Hangup() error { return m.signal(syscall.SIGHUP) }

func (m *Member) signal(s syscall.Signal) error {
	if m.process == nil {
		return fmt.Errorf("%s was never started", m.Name)
	}
	return m.process.signal(s)
}

// Wait waits until the process has ended and answers its exit code; -1: a signal ended it.
func (m *Member) Wait(ctx context.Context) (int, error) {
	if m.process == nil {
		return 0, fmt.Errorf("%s was never started", m.Name)
	}
	select {
	case <-m.process.ended:
		return m.process.state.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("%s still runs: %w", m.Name, ctx.Err())
	}
}

// Stop stops the process in order and expects exit code 0.
func (m *Member) Stop(ctx context.Context) error {
	if err := m.Terminate(); err != nil {
		return err
	}
	code, err := m.Wait(ctx)
	if err == nil && code != 0 {
		err = fmt.Errorf("%s ended with exit code %d after SIGTERM, expected 0; its log is %s", m.Name, code, m.LogPath())
	}
	return err
}

// SetFaults makes the member misbehave from now on, in place of what it was told before, also over restarts.
func (m *Member) SetFaults(f faults.Faults) error {
	m.faults = f
	return faults.Write(m.faultsPath(), f)
}

// Faults is what SetFaults was told last.
func (m *Member) Faults() faults.Faults { return m.faults }

// Traffic is what the member has sent and received in calls that it made to others, since it was started last or, if it
// has made none since, in the run before. It is up to date within the time between two heartbeats.
func (m *Member) Traffic() (faults.Traffic, error) { return faults.ReadTraffic(m.trafficPath()) }

// Operator calls the member's operator service.
func (m *Member) Operator() ballastv1.OperatorServiceClient {
	return ballastv1.NewOperatorServiceClient(m.conn)
}

// Status asks the member for its view.
func (m *Member) Status(ctx context.Context) (*ballastv1.StatusResponse, error) {
	return m.Operator().Status(ctx, &ballastv1.StatusRequest{})
}

func (m *Member) connect() (err error) {
	m.conn, err = grpc.NewClient(m.OperatorAddress,
		grpc.WithTransportCredentials(m.cluster.operatorCredentials()), grpc.WithConnectParams(quickReconnect()))
	return err
}

// close ends the process and the connection.
func (m *Member) close() error {
	err := m.Kill()
	if m.conn != nil {
		err = errors.Join(err, m.conn.Close())
	}
	return err
}
