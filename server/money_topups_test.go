package server

import (
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

func topUpPolicy(account string) *ballastv1.SetTopUpPolicy {
	return &ballastv1.SetTopUpPolicy{
		Account: account, Threshold: 10, Amount: 20, BackOff: int64(time.Minute), KeyLifetime: int64(time.Hour), PaymentReference: "card of " + account,
	}
}

func leaseTopUps(t *testing.T, m *member, limit uint32) []*ballastv1.TopUpRecord {
	t.Helper()
	answer, err := m.money.LeaseTopUps(testContext(t), &ballastv1.LeaseTopUpsRequest{Worker: "w", Limit: limit, Timeout: int64(time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	return answer.GetTopUps()
}

// TestLeaseTopUps: what is due is leased once, with all that a worker needs, and settled; lists and policies tell of it.
func TestLeaseTopUps(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice", "bob", "carol")
	if none := leaseTopUps(t, m, 100); len(none) != 0 {
		t.Errorf("leased %v, and there is nothing to lease", none)
	}
	m.submit(t, "APPLIED APPLIED APPLIED", op("p1", topUpPolicy("alice")), op("p2", topUpPolicy("bob")), op("p3", topUpPolicy("carol")))
	first, rest := leaseTopUps(t, m, 2), leaseTopUps(t, m, 2)
	if len(first) != 2 || len(rest) != 1 || len(leaseTopUps(t, m, 2)) != 0 {
		t.Fatalf("leased %v, then %v", first, rest)
	}
	top := rest[0]
	if top.GetPaymentReference() != "card of "+top.GetAccount() || top.GetAmount() != 20 || top.GetLease() != 1 || top.GetHolder() != "w" || top.GetLookupOnly() {
		t.Errorf("leased %v", top)
	}
	m.submit(t, "TOP_UP_LEASED APPLIED TOP_UP_ENDED",
		op("s1", &ballastv1.SettleTopUp{TopUp: top.GetId(), Lease: 2, Outcome: ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED}),
		op("s2", &ballastv1.SettleTopUp{TopUp: top.GetId(), Lease: 1, Outcome: ballastv1.TopUpOutcome_TOP_UP_OUTCOME_SUCCEEDED}),
		op("s3", &ballastv1.SettleTopUp{TopUp: top.GetId(), Outcome: ballastv1.TopUpOutcome_TOP_UP_OUTCOME_DECLINED}))
	got, err := m.money.GetTopUp(testContext(t), &ballastv1.GetTopUpRequest{Id: top.GetId()})
	if err != nil || got.GetTopUp().GetState() != ballastv1.TopUpState_TOP_UP_STATE_SUCCEEDED || got.GetState().GetIndex() == 0 {
		t.Errorf("the top-up is %v, %v", got, err)
	}
	listed, token := 0, ""
	for more := true; more; more = token != "" {
		page, err := m.money.ListTopUps(testContext(t), &ballastv1.ListTopUpsRequest{PageSize: 1, PageToken: token, IncludeEnded: listed > 0})
		if err != nil {
			t.Fatal(err)
		}
		listed, token = listed+len(page.GetTopUps()), page.GetNextPageToken()
	}
	if listed != 3 {
		t.Errorf("%d top-ups are listed, want 3", listed)
	}
	policy, err := m.money.GetTopUpPolicy(testContext(t), &ballastv1.GetTopUpPolicyRequest{Account: first[0].GetAccount()})
	if err != nil || policy.GetOpenTopUp() != first[0].GetId() || policy.GetPolicy().GetThreshold() != 10 || policy.GetPolicy().GetSourceAccount() != "@usd/credits" {
		t.Errorf("the policy is %v, %v", policy, err)
	}
}

func TestTopUpReadsRefuseWhatIsOutOfBounds(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	ctx, long := testContext(t), string(make([]byte, 65))
	lease := func(limit uint32, timeout int64, worker string) error {
		_, err := m.money.LeaseTopUps(ctx, &ballastv1.LeaseTopUpsRequest{Limit: limit, Timeout: timeout, Worker: worker})
		return err
	}
	get := func(id string) error {
		_, err := m.money.GetTopUp(ctx, &ballastv1.GetTopUpRequest{Id: id})
		return err
	}
	policy := func(account string) error {
		_, err := m.money.GetTopUpPolicy(ctx, &ballastv1.GetTopUpPolicyRequest{Account: account})
		return err
	}
	list := func(size uint32, token string) error {
		_, err := m.money.ListTopUps(ctx, &ballastv1.ListTopUpsRequest{PageSize: size, PageToken: token})
		return err
	}
	for name, c := range map[string]struct {
		err  error
		code codes.Code
	}{
		"lease none":           {lease(0, ledger.MinLease, ""), codes.InvalidArgument},
		"lease too many":       {lease(101, ledger.MinLease, ""), codes.InvalidArgument},
		"lease for no time":    {lease(1, 0, ""), codes.InvalidArgument},
		"lease for too long":   {lease(1, ledger.MaxLease+1, ""), codes.InvalidArgument},
		"a long worker":        {lease(1, ledger.MinLease, long), codes.InvalidArgument},
		"no id":                {get(""), codes.InvalidArgument},
		"a long id":            {get(long), codes.InvalidArgument},
		"no top-up":            {get("7ecb5c39-5a8a-8d5a-9d33-5c7f4c6d8e9f"), codes.NotFound},
		"no UUID":              {get("x"), codes.NotFound},
		"no account":           {policy(""), codes.InvalidArgument},
		"a long account":       {policy(long), codes.InvalidArgument},
		"an unknown account":   {policy("bob"), codes.NotFound},
		"no policy":            {policy("alice"), codes.NotFound},
		"a page too large":     {list(1001, ""), codes.InvalidArgument},
		"a token of elsewhere": {list(1, pageToken("a")), codes.InvalidArgument},
	} {
		if c.err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		failureOf(t, c.err, c.code)
	}
}
