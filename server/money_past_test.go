package server

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func TestStatementForwardAndByTime(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	var times []int64
	for i := range 6 {
		m.now = m.now.Add(time.Second)
		times = append(times, m.now.UnixNano())
		m.submit(t, "APPLIED", credit("c"+string(rune('0'+i)), "alice", 1))
	}
	list := func(r *ballastv1.GetStatementRequest) string {
		t.Helper()
		r.Account, r.PageSize = "alice", 2
		var ids []string
		for {
			page, err := m.money.GetStatement(testContext(t), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.GetEntries() {
				ids = append(ids, e.GetOperationId())
			}
			next := page.GetNextBeforeSequence()
			if r.GetForward() {
				next = page.GetNextAfterSequence()
			}
			if next == 0 {
				return strings.Join(ids, " ")
			}
			if r.GetForward() {
				r.AfterSequence = next
			} else {
				r.BeforeSequence = next
			}
		}
	}
	for _, c := range []struct {
		r    *ballastv1.GetStatementRequest
		want string
	}{
		{&ballastv1.GetStatementRequest{Forward: true}, "open-alice c0 c1 c2 c3 c4 c5"},
		{&ballastv1.GetStatementRequest{Forward: true, AfterSequence: 3, BeforeSequence: 7}, "c1 c2 c3"},
		{&ballastv1.GetStatementRequest{AfterSequence: 3, BeforeSequence: 7}, "c3 c2 c1"},
		{&ballastv1.GetStatementRequest{Forward: true, FromTime: times[1], UntilTime: times[4]}, "c1 c2 c3"},
		{&ballastv1.GetStatementRequest{FromTime: times[1] + 1, UntilTime: times[4] + 1}, "c4 c3 c2"},
		{&ballastv1.GetStatementRequest{Forward: true, FromTime: times[5] + 1}, ""},
	} {
		if got := list(c.r); got != c.want {
			t.Errorf("%v: %s, want %s", c.r, got, c.want)
		}
	}
	for field, r := range map[string]*ballastv1.GetStatementRequest{"from_time": {FromTime: -1}, "until_time": {UntilTime: -1}} {
		r.Account = "alice"
		_, err := m.money.GetStatement(testContext(t), r)
		if failureOf(t, err, codes.InvalidArgument); !strings.Contains(err.Error(), field+":") {
			t.Errorf("the error does not name %s: %v", field, err)
		}
	}
}

func TestPastBalance(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	opened := m.now.UnixNano()
	m.now = m.now.Add(time.Second)
	m.submit(t, "APPLIED APPLIED", credit("c1", "alice", 500), debit("d1", "alice", 200))
	m.now = m.now.Add(time.Second)
	m.submit(t, "APPLIED", credit("c2", "alice", 7))
	after := func(n uint64) *ballastv1.GetPastBalanceRequest {
		return &ballastv1.GetPastBalanceRequest{Account: "alice", At: &ballastv1.GetPastBalanceRequest_Sequence{Sequence: n}}
	}
	at := func(time int64) *ballastv1.GetPastBalanceRequest {
		return &ballastv1.GetPastBalanceRequest{Account: "alice", At: &ballastv1.GetPastBalanceRequest_Time{Time: time}}
	}
	for _, c := range []struct {
		r      *ballastv1.GetPastBalanceRequest
		posted int64
		last   uint64
		final  bool
	}{
		{after(2), 0, 2, true},
		{after(3), 500, 3, true},
		{after(4), 300, 4, true},
		{after(5), 307, 5, true},
		{at(opened), 0, 2, true},
		{at(opened + 1e9), 300, 4, true}, // both entries of that time
		{at(opened + 2e9 - 1), 300, 4, true},
		{at(opened + 2e9), 307, 5, false}, // log time now: there may be more
		{at(opened + 9e9), 307, 5, false},
	} {
		got, err := m.money.GetPastBalance(testContext(t), c.r)
		if err != nil {
			t.Fatal(err)
		}
		if got.GetPosted() != c.posted || got.GetLastSequence() != c.last || got.GetSequence() != c.last || got.GetFinal() != c.final ||
			got.GetScale() != 2 || got.GetLedger() != "usd" || got.GetState().GetIndex() == 0 {
			t.Errorf("%v: %v, want %d by entry %d", c.r, got, c.posted, c.last)
		}
	}
	nobody := after(3)
	nobody.Account = "nobody"
	for what, c := range map[string]struct {
		r    *ballastv1.GetPastBalanceRequest
		code codes.Code
	}{
		"not open yet": {after(1), codes.NotFound}, "before all": {after(0), codes.NotFound}, "too early": {at(opened - 1), codes.NotFound}, "nobody": {nobody, codes.NotFound},
		"an entry to come": {after(6), codes.OutOfRange},
		"no account":       {&ballastv1.GetPastBalanceRequest{At: after(3).At}, codes.InvalidArgument},
		"no point":         {&ballastv1.GetPastBalanceRequest{Account: "alice"}, codes.InvalidArgument},
		"before 1970":      {at(-1), codes.InvalidArgument},
		"at 1970":          {at(0), codes.InvalidArgument},
	} {
		_, err := m.money.GetPastBalance(testContext(t), c.r)
		if err == nil {
			t.Errorf("%s is answered", what)
			continue
		}
		failureOf(t, err, c.code)
	}
}
