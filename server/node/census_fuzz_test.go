package node

import (
	"testing"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/census"
	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// Whatever another member answers, a member stops for it only where what it says is enough to: it remembers what this one has forgotten, or
// a majority of the voters that it lists says so.
func FuzzCensus(f *testing.F) {
	self := census.Self{
		ID: "node-1/" + uuid.Nil.String(), Address: "a:1", Fact: census.Fact{Boots: 3, Token: 7, Term: 5, Applied: 90}, Last: 100, Configuration: 4,
	}
	for _, answer := range []*raftv1.CensusResponse{
		{Id: []byte("node-2/x"), ConfigurationIndex: 9, Committed: true, Members: []*raftv1.CensusMember{
			{Id: []byte("node-2/x"), Address: []byte("b:1"), Voter: true}, {Id: []byte("node-1/y"), Address: []byte("a:1"), Voter: true},
		}},
		{Id: []byte("node-2/x"), RecoveryEpoch: 1 << 32, ConfigurationIndex: 9, Committed: true, Members: []*raftv1.CensusMember{{Id: []byte("node-2/x"), Voter: true}}},
		{Id: []byte("node-2/x"), Remembered: &raftv1.CensusMemory{Boots: 4, BootToken: 7, Term: 5, AppliedIndex: 90}},
	} {
		data, err := proto.Marshal(answer)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var wire raftv1.CensusResponse
		if proto.Unmarshal(data, &wire) != nil {
			return
		}
		answer := answerFromWire(&wire)
		if len(answer.Members) != len(wire.GetMembers()) || answer.ID != string(wire.GetId()) {
			t.Fatalf("%v was read as %+v", &wire, answer)
		}
		v := census.Judge(self, []census.Answer{answer})
		voters := 0
		for _, m := range answer.Members {
			if m.Voter {
				voters++
			}
		}
		switch {
		case !v.Final():
		case v.Standing == census.RolledBack:
			if answer.Remembered == nil || !census.Contradicts(self, *answer.Remembered) {
				t.Fatalf("%+v by %v", v, &wire)
			}
		case 2*len(v.By) <= voters:
			t.Fatalf("%+v by %v, which lists %d voters", v, &wire, voters)
		}
	})
}
