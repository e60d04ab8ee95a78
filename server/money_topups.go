package server

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// maxLeases is how many top-ups one call leases at most.
const maxLeases = 100

// LeaseTopUps is ballastv1.MoneyServiceServer's. What this member believes to be due is only where it looks: the state decides
// on each lease, in the log, and so only with a majority.
func (m *Money) LeaseTopUps(ctx context.Context, r *ballastv1.LeaseTopUpsRequest) (*ballastv1.LeaseTopUpsResponse, error) {
	if n := r.GetLimit(); n < 1 || n > maxLeases {
		return nil, invalid("limit: want 1 to %d, found %d", maxLeases, n)
	}
	if d := r.GetTimeout(); d < ledger.MinLease || d > ledger.MaxLease {
		return nil, invalid("timeout: want %s to %s, found %s", time.Duration(ledger.MinLease), time.Duration(ledger.MaxLease), time.Duration(d))
	}
	if !ledger.ValidReference([]byte(r.GetWorker())) {
		return nil, invalid("worker: want at most %d bytes of UTF-8 without control characters, found %q", ledger.MaxReferenceLen, clip(r.GetWorker()))
	}
	if _, ok := leads(m.cfg.Raft); !ok {
		return nil, m.hinted(notLeader(nil))
	}
	ctx, cancel := m.bounded(ctx, 0)
	defer cancel()
	now := m.cfg.Coalescer.stamp()
	var due []string
	m.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) { due = s.DueTopUps(max(now, s.LogTime()), int(r.GetLimit())) })
	if len(due) == 0 {
		return &ballastv1.LeaseTopUpsResponse{}, nil
	}
	operations := make([]*ballastv1.Operation, len(due))
	for i, id := range due {
		operations[i] = &ballastv1.Operation{
			Id: uuid.NewString(), IssuedAt: now, Reference: r.GetWorker(),
			Kind: &ballastv1.Operation_LeaseTopUp{LeaseTopUp: &ballastv1.LeaseTopUp{TopUp: id, Timeout: r.GetTimeout()}},
		}
	}
	answer, failure := m.submit(ctx, operations)
	if failure != nil {
		return nil, failure
	}
	return &ballastv1.LeaseTopUpsResponse{TopUps: m.leased(due, answer.GetResults())}, nil
}

// leased are those of the top-ups that were leased, and where nothing has happened to them since.
func (m *Money) leased(ids []string, results []*ballastv1.Result) (leased []*ballastv1.TopUpRecord) {
	m.cfg.Store.ReadIndexed(func(s *ledger.State, _ uint64) {
		for i, result := range results {
			if result.GetCode() != ballastv1.ResultCode_RESULT_CODE_APPLIED {
				continue
			}
			if t, ok := s.TopUp([]byte(ids[i])); ok && t.LastSequence == result.GetSequence() {
				leased = append(leased, topUpProto(&t))
			}
		}
	})
	return leased
}

// GetTopUp is ballastv1.MoneyServiceServer's.
func (m *Money) GetTopUp(ctx context.Context, r *ballastv1.GetTopUpRequest) (*ballastv1.GetTopUpResponse, error) {
	if n := len(r.GetId()); n < 1 || n > ledger.MaxIDLen {
		return nil, invalid("id: want 1 to %d bytes, found %d", ledger.MaxIDLen, n)
	}
	response := &ballastv1.GetTopUpResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		if t, ok := s.TopUp([]byte(r.GetId())); ok {
			response.TopUp = topUpProto(&t)
		}
	})
	if err == nil && response.TopUp == nil {
		err = notFound("id: no top-up %q is remembered", clip(r.GetId()))
	}
	return answerRead(response, err)
}

// ListTopUps is ballastv1.MoneyServiceServer's.
func (m *Money) ListTopUps(ctx context.Context, r *ballastv1.ListTopUpsRequest) (*ballastv1.ListTopUpsResponse, error) {
	limit, failure := pageSize(r.GetPageSize())
	if failure != nil {
		return nil, failure
	}
	from, ok := topUpPlace(r.GetPageToken())
	if !ok {
		return nil, invalid("page_token: want next_page_token of the page before, found %q", clip(r.GetPageToken()))
	}
	response := &ballastv1.ListTopUpsResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		topUps, next, more := s.TopUps(from, r.GetIncludeEnded(), limit)
		for i := range topUps {
			response.TopUps = append(response.TopUps, topUpProto(&topUps[i]))
		}
		if more {
			response.NextPageToken = topUpToken(next)
		}
	})
	return answerRead(response, err)
}

// GetTopUpPolicy is ballastv1.MoneyServiceServer's.
func (m *Money) GetTopUpPolicy(ctx context.Context, r *ballastv1.GetTopUpPolicyRequest) (*ballastv1.GetTopUpPolicyResponse, error) {
	if n := len(r.GetAccount()); n < 1 || n > ledger.MaxAccountLen {
		return nil, invalid("account: want 1 to %d bytes, found %d", ledger.MaxAccountLen, n)
	}
	var response *ballastv1.GetTopUpPolicyResponse
	known := false
	seen, err := m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		p, found, ok := s.TopUpPolicy([]byte(r.GetAccount()))
		if known = found; ok {
			response = policyResponse(&p)
		}
	})
	switch {
	case err != nil:
	case !known:
		err = notFound("account: there is no account %q", clip(r.GetAccount()))
	case response == nil:
		err = notFound("account: %q has no policy on top-ups", clip(r.GetAccount()))
	default:
		response.State = seen
	}
	return answerRead(response, err)
}

// A page token of top-ups is a version and the place where the list goes on.
const (
	topUpTokenVersion = 't'
	topUpTokenBytes   = 1 + 8
)

func topUpToken(place uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.LittleEndian.AppendUint64([]byte{topUpTokenVersion}, place))
}

func topUpPlace(token string) (place uint64, ok bool) {
	if token == "" {
		return 0, true
	}
	if len(token) != base64.RawURLEncoding.EncodedLen(topUpTokenBytes) {
		return 0, false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != topUpTokenBytes || b[0] != topUpTokenVersion {
		return 0, false
	}
	return binary.LittleEndian.Uint64(b[1:]), true
}
