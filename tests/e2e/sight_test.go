package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ballastdb/ballast/internal/faults"
	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// get answers a page of a member's operator address.
func get(ctx context.Context, m *testcluster.Member, path string) (code int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.OperatorAddress+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body), err
}

// inPhase is nil once a member says that it is in this phase, and its metrics say so too; status is then what it said.
func inPhase(ctx context.Context, m *testcluster.Member, phase ballastv1.Phase, name string, status **ballastv1.StatusResponse) error {
	s, err := m.Status(ctx)
	if err != nil {
		return err
	}
	if s.GetPhase() != phase {
		return fmt.Errorf("%s is in %v: %s", m.Name, s.GetPhase(), s.GetState())
	}
	*status = s
	_, text, err := get(ctx, m, "/metrics")
	if err == nil && !strings.Contains(text, fmt.Sprintf("ballast_phase{phase=%q} 1\n", name)) {
		err = fmt.Errorf("the metrics of %s do not say %q", m.Name, name)
	}
	return err
}

// A member that was away and comes back says that it is catching up, how far behind it is and for how long, and is not
// ready; then that it serves, and is ready.
func TestMemberThatComesBackIsSeen(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	away := b.followers()[0]
	must(t, away.Kill())
	b.credit(500)                                                            // far more entries than what counts as keeping up
	must(t, away.SetFaults(faults.Faults{LogStall: 300 * time.Millisecond})) // 64 entries at a time
	must(t, away.Start())
	var s *ballastv1.StatusResponse
	must(t, testcluster.Until(b.ctx(), "it says that it catches up", func(ctx context.Context) error {
		return inPhase(ctx, away, ballastv1.Phase_PHASE_CATCHING_UP_FROM_LOG, "catching up from the log", &s)
	}))
	if s.GetLag().GetEntries() <= 64 || s.GetLag().GetBytes() == 0 || s.GetLag().GetTime().AsDuration() <= 0 || s.GetCatchUp() == nil || s.GetCatchUp().GetPages() != nil {
		t.Errorf("lag %v, catch-up %v", s.GetLag(), s.GetCatchUp())
	}
	if !strings.Contains(s.GetState(), "is catching up from the log") {
		t.Errorf("it says %q", s.GetState())
	}
	must(t, b.cluster.Heal())
	must(t, testcluster.Until(b.ctx(), "it serves and is ready", func(ctx context.Context) error {
		if err := inPhase(ctx, away, ballastv1.Phase_PHASE_SERVING, "serving", &s); err != nil {
			return err
		}
		code, text, err := get(ctx, away, "/readyz")
		if err == nil && code != http.StatusOK {
			err = fmt.Errorf("%d: %s", code, text)
		}
		return err
	}))
	if s.GetLag().GetEntries() > 64 || s.GetCatchUp() != nil {
		t.Errorf("lag %v, catch-up %v", s.GetLag(), s.GetCatchUp())
	}
	b.checkEqual()
}

// Without a majority a member lives and is not ready, and says why.
func TestMemberWithoutAMajorityLivesAndIsNotReady(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	others := b.followers()
	leader := b.leader()
	for _, m := range others {
		must(t, m.Kill())
	}
	must(t, testcluster.Until(b.ctx(), "it is not ready", func(ctx context.Context) error {
		code, text, err := get(ctx, leader, "/readyz")
		if err == nil && (code != http.StatusServiceUnavailable || !strings.Contains(text, "it knows no leader")) {
			err = fmt.Errorf("%d: %s", code, text)
		}
		return err
	}))
	code, text, err := get(b.ctx(), leader, "/livez")
	must(t, err)
	if code != http.StatusOK {
		t.Errorf("live: %d: %s", code, text)
	}
}
