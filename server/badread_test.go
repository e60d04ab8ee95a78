package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/ballastdb/ballast/fsm/ledger"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

var (
	badConsistency = []any{protoreflect.EnumNumber(99), protoreflect.EnumNumber(-1)}
	badPageSize    = []any{uint32(maxPageSize + 1), uint32(math.MaxUint32)}
	badPageToken   = []any{"x", strings.Repeat("A", 1000)}
	badLookup      = []any{"", strings.Repeat("x", 65)} // of what may be unknown: any text of a length that exists
	badControl     = []any{"a\x00b", "a\nb", "a\u0085b"}
	badFilter      = []any{"USD", "a b", strings.Repeat("x", ledger.MaxLedgerLen+1), "é"}
)

// badReads has, for each field of each request that reads, the values that must be refused, as badFields has for operations.
var badReads = map[string][]any{
	"GetAccountsRequest.ids":         {[]string{}, make([]string, maxReadIDs+1), []string{""}, []string{"alice", strings.Repeat("x", 65)}},
	"GetAccountsRequest.consistency": badConsistency,

	"ListAccountsRequest.prefix": {strings.Repeat("x", 65)}, "ListAccountsRequest.ledger": badFilter, "ListAccountsRequest.include_system": anything,
	"ListAccountsRequest.page_size": badPageSize, "ListAccountsRequest.page_token": badPageToken, "ListAccountsRequest.consistency": badConsistency,

	"GetStatementRequest.account": badLookup, "GetStatementRequest.before_sequence": anything,
	"GetStatementRequest.after_sequence": anything, "GetStatementRequest.forward": anything,
	"GetStatementRequest.from_time": {int64(-1), int64(math.MinInt64)}, "GetStatementRequest.until_time": {int64(-1), int64(math.MinInt64)},
	"GetPastBalanceRequest.account": badLookup, "GetPastBalanceRequest.consistency": badConsistency,
	"GetPastBalanceRequest.sequence": anything, "GetPastBalanceRequest.time": {int64(0), int64(-1), int64(math.MinInt64)},
	"GetStatementRequest.page_size": badPageSize, "GetStatementRequest.consistency": badConsistency,

	"GetOperationRequest.id": badLookup, "GetOperationRequest.consistency": badConsistency,
	"GetHoldRequest.id": badLookup, "GetHoldRequest.consistency": badConsistency,
	"ListHoldsRequest.account": badLookup, "ListHoldsRequest.page_size": badPageSize,
	"ListHoldsRequest.page_token": badPageToken, "ListHoldsRequest.consistency": badConsistency,
	"ListLedgersRequest.consistency": badConsistency,

	"WatchRequest.after_sequence": anything, "WatchRequest.after_link": anything, "WatchRequest.from_now": anything,
	"WatchRequest.heartbeat": {int64(-1), int64(1), int64(minHeartbeat) - 1, int64(maxHeartbeat) + 1, int64(math.MaxInt64)},
	"WatchFilter.ledger":     badFilter, "WatchFilter.accounts": {make([]string, maxWatchAccounts+1), []string{""}, []string{"alice", strings.Repeat("x", 65)}},
	"WatchFilter.kinds": {[]protoreflect.EnumNumber{0}, []protoreflect.EnumNumber{1, 99}, []protoreflect.EnumNumber{-1}}, "WatchFilter.codes": {make([]uint32, maxWatchCodes+1)},

	"LeaseTopUpsRequest.worker": append([]any{strings.Repeat("x", ledger.MaxReferenceLen+1)}, badControl...),
	"LeaseTopUpsRequest.limit":  {uint32(0), uint32(maxLeases + 1), uint32(math.MaxUint32)}, "LeaseTopUpsRequest.timeout": badLease,
	"GetTopUpRequest.id": badLookup, "GetTopUpRequest.consistency": badConsistency,
	"ListTopUpsRequest.include_ended": anything, "ListTopUpsRequest.page_size": badPageSize,
	"ListTopUpsRequest.page_token": badPageToken, "ListTopUpsRequest.consistency": badConsistency,
	"GetTopUpPolicyRequest.account": badLookup, "GetTopUpPolicyRequest.consistency": badConsistency,

	"ExportAccountsRequest.least_index": anything, "ExportAccountsRequest.from_leader": anything,
	"ExportAccountsRequest.ledger": badFilter, "ExportAccountsRequest.include_system": anything,
	"ExportEntriesRequest.least_index": anything, "ExportEntriesRequest.from_leader": anything, "ExportEntriesRequest.ledger": badFilter,
	"ExportEntriesRequest.after_sequence": anything, "ExportEntriesRequest.until_sequence": anything,
}

// goodReads are requests that are answered.
var goodReads = []proto.Message{
	&ballastv1.GetAccountsRequest{Ids: []string{"alice"}}, &ballastv1.ListAccountsRequest{}, &ballastv1.GetStatementRequest{Account: "alice"},
	&ballastv1.GetOperationRequest{Id: "open-alice"}, &ballastv1.GetHoldRequest{Id: "hold"}, &ballastv1.ListHoldsRequest{Account: "alice"},
	&ballastv1.ListLedgersRequest{}, &ballastv1.LeaseTopUpsRequest{Limit: 1, Timeout: ledger.MinLease},
	&ballastv1.WatchRequest{Filter: &ballastv1.WatchFilter{}},
	&ballastv1.GetPastBalanceRequest{Account: "alice", At: &ballastv1.GetPastBalanceRequest_Sequence{Sequence: 2}},
	&ballastv1.GetTopUpRequest{Id: "x"}, &ballastv1.ListTopUpsRequest{}, &ballastv1.GetTopUpPolicyRequest{Account: "alice"}, &ballastv1.ExportAccountsRequest{}, &ballastv1.ExportEntriesRequest{},
}

// ask makes the call that takes this request, and takes one answer.
func ask(ctx context.Context, conn *grpc.ClientConn, request proto.Message) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	method, streams := methodOf(request)
	if method == "" {
		return fmt.Errorf("no call takes a %T", request)
	}
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: streams}, method)
	if err == nil {
		err = errors.Join(stream.SendMsg(request), stream.CloseSend())
	}
	if err == nil {
		err = stream.RecvMsg(&emptypb.Empty{}) // whatever the answer is
	}
	if errors.Is(err, io.EOF) || err != nil && status.Code(err) == codes.Unknown {
		return fmt.Errorf("%s: %w", method, err)
	}
	return err
}

// methodOf is the call of the public services that takes a request, and whether it is answered by a stream.
func methodOf(request proto.Message) (method string, streams bool) {
	protoregistry.GlobalFiles.RangeFilesByPackage("ballast.v1", func(file protoreflect.FileDescriptor) bool {
		for i := range file.Services().Len() {
			service := file.Services().Get(i)
			for j := range service.Methods().Len() {
				if m := service.Methods().Get(j); m.Input().FullName() == request.ProtoReflect().Descriptor().FullName() {
					method, streams = "/"+string(service.FullName())+"/"+string(m.Name()), m.IsStreamingServer()
				}
			}
		}
		return true
	})
	return method, streams
}

// set gives a field a value, which may be a list.
func set(m protoreflect.Message, fd protoreflect.FieldDescriptor, value any) {
	if !fd.IsList() {
		m.Set(fd, protoreflect.ValueOf(value))
		return
	}
	m.Clear(fd)
	list := reflect.ValueOf(value)
	for i := range list.Len() {
		m.Mutable(fd).List().Append(protoreflect.ValueOf(list.Index(i).Interface()))
	}
}

// TestBadInputOfEveryRead: each bad value of each field of each request that reads is refused, and the field is named.
func TestBadInputOfEveryRead(t *testing.T) {
	m := newMember(t, nil)
	m.open(t, "alice")
	m.submit(t, "APPLIED APPLIED", credit("c", "alice", 100), op("hold", &ballastv1.Hold{Account: "alice", Amount: 5, Timeout: 1e12}))
	met := map[string]bool{}
	for _, good := range goodReads {
		if err := ask(testContext(t), m.conn, good); err != nil && status.Code(err) != codes.NotFound {
			t.Errorf("%T: %v", good, err)
			continue
		}
		eachField(good.ProtoReflect(), func(_ protoreflect.Message, fd protoreflect.FieldDescriptor) {
			key := keyOf(fd)
			met[key] = true
			bad, listed := badReads[key]
			if !listed {
				t.Errorf("%s has no row in badReads: say which values of it must be refused", key)
			}
			for _, value := range bad {
				request := proto.Clone(good)
				eachField(request.ProtoReflect(), func(m protoreflect.Message, of protoreflect.FieldDescriptor) {
					if keyOf(of) == key {
						set(m, of, value)
					}
				})
				if err := ask(testContext(t), m.conn, request); status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), string(fd.Name())) {
					t.Errorf("%s %.80q: %v, want one that names it", key, fmt.Sprint(value), err)
				}
			}
		})
	}
	for key := range badReads {
		if !met[key] {
			t.Errorf("%s is in badReads, and no request has it", key)
		}
	}
}

// TestEveryReadIsAsked: the calls that TestBadInputOfEveryRead does not make are these.
func TestEveryReadIsAsked(t *testing.T) {
	asked := map[string]bool{"/ballast.v1.MoneyService/Submit": true, "/ballast.v1.MoneyService/SubmitStream": true}
	for _, request := range goodReads {
		method, _ := methodOf(request)
		asked[method] = true
	}
	for _, service := range []protoreflect.ServiceDescriptor{
		ballastv1.File_ballast_v1_money_proto.Services().ByName("MoneyService"), ballastv1.File_ballast_v1_books_proto.Services().ByName("BooksService"),
	} {
		for i := range service.Methods().Len() {
			if method := "/" + string(service.FullName()) + "/" + string(service.Methods().Get(i).Name()); !asked[method] {
				t.Errorf("%s is not asked with bad fields: add a request to goodReads", method)
			}
		}
	}
}
