package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"github.com/ballastdb/ballast/internal/wait"
)

// Profiler is a System that can write a CPU profile of the process that has most to do.
type Profiler interface {
	// Profile writes it to w, over about that time.
	Profile(ctx context.Context, took time.Duration, w io.Writer) error
}

// profile writes the CPU profiles of a system and of this process, which is the load generator, over the middle of the
// measured time: CASE-TARGET-server.pprof and CASE-TARGET-client.pprof.
func profile(ctx context.Context, dir, name string, system System, after, took time.Duration) error {
	if err := wait.For(ctx, after); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	own := make(chan error, 1)
	go func() {
		own <- writeFile(filepath.Join(dir, name+"-client.pprof"), func(w io.Writer) error {
			if err := pprof.StartCPUProfile(w); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
			return wait.For(ctx, took)
		})
	}()
	var err error
	if p, ok := system.(Profiler); ok {
		err = writeFile(filepath.Join(dir, name+"-server.pprof"), func(w io.Writer) error { return p.Profile(ctx, took, w) })
	}
	return errors.Join(<-own, err)
}

// Profile is the leader's.
func (b *Ballast) Profile(ctx context.Context, took time.Duration, w io.Writer) error {
	for _, m := range b.cluster.Members() {
		if m.Name != b.leader {
			continue
		}
		url := fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", m.OperatorAddress, max(1, int(took.Seconds())))
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := (&http.Client{Transport: b.http.Transport, Timeout: took + 10*time.Second}).Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		_, err = io.Copy(w, response.Body)
		return err
	}
	return fmt.Errorf("no member is named %q", b.leader)
}
