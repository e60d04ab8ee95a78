package faults

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"google.golang.org/grpc/stats"
)

// Bytes count for the address and the method of their call, in the file too.
func TestTrafficIsCountedByAddressAndMethod(t *testing.T) {
	file := filepath.Join(t.TempDir(), "traffic")
	m := NewMeter(file)
	address := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2), Port: 7411}
	begin := func(method string) context.Context {
		ctx := m.TagRPC(t.Context(), &stats.RPCTagInfo{FullMethodName: "/raft.v1.RaftService/" + method})
		m.HandleRPC(ctx, &stats.OutHeader{Client: true, RemoteAddr: address})
		return ctx
	}
	pages, vote := begin("FetchPages"), begin("RequestVote")
	m.HandleRPC(pages, &stats.OutPayload{WireLength: 10})
	m.HandleRPC(pages, &stats.InPayload{WireLength: 1000})
	m.HandleRPC(vote, &stats.OutPayload{WireLength: 7})
	m.HandleRPC(pages, &stats.InPayload{WireLength: 500})
	m.write()
	got, err := ReadTraffic(file)
	if err != nil {
		t.Fatal(err)
	}
	methods := got[address.String()]
	if len(got) != 1 || methods["FetchPages"] != (Amount{Sent: 10, Received: 1500}) || methods["RequestVote"] != (Amount{Sent: 7}) {
		t.Fatalf("got %v", got)
	}
	if none, err := ReadTraffic(file + ".none"); err != nil || len(none) != 0 {
		t.Fatalf("without a file: %v, %v", none, err)
	}
}
