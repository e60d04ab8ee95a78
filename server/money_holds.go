package server

import (
	"context"
	"encoding/base64"
	"encoding/binary"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetHold is ballastv1.MoneyServiceServer's.
func (m *Money) GetHold(ctx context.Context, r *ballastv1.GetHoldRequest) (*ballastv1.GetHoldResponse, error) {
	if n := len(r.GetId()); n < 1 || n > ledger.MaxIDLen {
		return nil, invalid("id: want 1 to %d bytes, found %d", ledger.MaxIDLen, n)
	}
	response := &ballastv1.GetHoldResponse{}
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		if h, ok := s.Hold([]byte(r.GetId())); ok {
			response.Hold = holdProto(&h)
		}
	})
	if err == nil && response.Hold == nil {
		err = notFound("id: no hold %q is remembered", clip(r.GetId()))
	}
	return answerRead(response, err)
}

// ListHolds is ballastv1.MoneyServiceServer's.
func (m *Money) ListHolds(ctx context.Context, r *ballastv1.ListHoldsRequest) (*ballastv1.ListHoldsResponse, error) {
	if n := len(r.GetAccount()); n < 1 || n > ledger.MaxAccountLen {
		return nil, invalid("account: want 1 to %d bytes, found %d", ledger.MaxAccountLen, n)
	}
	limit, failure := pageSize(r.GetPageSize())
	if failure != nil {
		return nil, failure
	}
	from, ok := holdCursor(r.GetPageToken())
	if !ok {
		return nil, invalid("page_token: want next_page_token of the page before, found %q", clip(r.GetPageToken()))
	}
	response, known := &ballastv1.ListHoldsResponse{}, false
	var err error
	response.State, err = m.read(ctx, r.GetConsistency(), func(s *ledger.State) {
		var holds []ledger.Hold
		var next ledger.HoldCursor
		holds, next, known = s.Holds([]byte(r.GetAccount()), from, limit)
		for i := range holds {
			response.Holds = append(response.Holds, holdProto(&holds[i]))
		}
		response.NextPageToken = holdToken(next)
	})
	if err == nil && !known {
		err = notFound("account: there is no account %q", clip(r.GetAccount()))
	}
	return answerRead(response, err)
}

// A page token of holds is a version and where the list goes on.
const (
	holdTokenVersion = 'h'
	holdTokenBytes   = 1 + 8 + 4
)

func holdToken(c ledger.HoldCursor) string {
	if c == (ledger.HoldCursor{}) {
		return ""
	}
	b := binary.LittleEndian.AppendUint64([]byte{holdTokenVersion}, c.Before)
	return base64.RawURLEncoding.EncodeToString(binary.LittleEndian.AppendUint32(b, c.Slot))
}

func holdCursor(token string) (c ledger.HoldCursor, ok bool) {
	if token == "" {
		return c, true
	}
	if len(token) != base64.RawURLEncoding.EncodedLen(holdTokenBytes) {
		return c, false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != holdTokenBytes || b[0] != holdTokenVersion {
		return c, false
	}
	return ledger.HoldCursor{Before: binary.LittleEndian.Uint64(b[1:]), Slot: binary.LittleEndian.Uint32(b[9:])}, true
}
