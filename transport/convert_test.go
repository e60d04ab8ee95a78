package transport

import (
	"reflect"
	"testing"
	"time"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	raftv1 "github.com/ballastdb/ballast/proto/raft/v1"
)

// fill sets every field of a raft struct, and fails on a kind of field that it does not know, so that nothing that a
// newer raft adds is lost unseen.
func fill(t *rapid.T, v reflect.Value, name string) {
	switch v.Interface().(type) {
	case time.Time:
		if rapid.Bool().Draw(t, name+" is set") {
			v.Set(reflect.ValueOf(time.Unix(0, rapid.Int64Range(1, 1<<62).Draw(t, name))))
		}
		return
	case []byte:
		if b := rapid.SliceOfN(rapid.Byte(), 0, 20).Draw(t, name); len(b) > 0 {
			v.SetBytes(b)
		}
		return
	case []*raft.Log:
		for range rapid.IntRange(0, 4).Draw(t, name) {
			l := &raft.Log{}
			fill(t, reflect.ValueOf(l).Elem(), name)
			v.Set(reflect.Append(v, reflect.ValueOf(l)))
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, name))
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Uint8().Draw(t, name)))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, name))
	case reflect.Int: // versions
		v.SetInt(int64(rapid.IntRange(0, 1<<31-1).Draw(t, name)))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, name))
	default:
		t.Fatalf("field %s has the kind %s, which the conversion does not know", name, v.Kind())
	}
}

// roundTrip is a conversion to the wire's bytes and back.
func roundTrip[R any, M any, PM interface {
	*M
	proto.Message
}](toWire func(*R) PM, fromWire func(PM) (*R, error)) func(t *rapid.T) {
	return func(t *rapid.T) {
		var r R
		fill(t, reflect.ValueOf(&r).Elem(), "")
		if a, ok := any(&r).(*raft.AppendEntriesRequest); ok {
			a.PrevLogEntry >>= 1
			for i, l := range a.Entries {
				l.Index = a.PrevLogEntry + uint64(i) + 1
			}
		}
		b, err := proto.Marshal(toWire(&r))
		if err != nil {
			t.Fatal(err)
		}
		var m M
		if err := proto.Unmarshal(b, PM(&m)); err != nil {
			t.Fatal(err)
		}
		found, err := fromWire(&m)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(&r, found) {
			t.Fatalf("sent\n%+v\nreceived\n%+v", r, *found)
		}
	}
}

func sure[M, R any](from func(M) *R) func(M) (*R, error) {
	return func(m M) (*R, error) { return from(m), nil }
}

func value[M, R any](from func(M) R) func(M) (*R, error) {
	return func(m M) (*R, error) { r := from(m); return &r, nil }
}

func enveloped[R, M any](to func(*raftv1.Envelope, *R) M) func(*R) M {
	return func(r *R) M { return to(&raftv1.Envelope{}, r) }
}

// TestNoFieldIsForgotten sends every struct of raft's with all its fields set through the wire and compares.
func TestNoFieldIsForgotten(t *testing.T) {
	for name, check := range map[string]func(*rapid.T){
		"AppendEntriesRequest":    roundTrip(enveloped(appendToWire), appendFromWire),
		"AppendEntriesResponse":   roundTrip(appendAnswerToWire, value(appendAnswerFromWire)),
		"RequestVoteRequest":      roundTrip(enveloped(voteToWire), sure(voteFromWire)),
		"RequestVoteResponse":     roundTrip(voteAnswerToWire, value(voteAnswerFromWire)),
		"RequestPreVoteRequest":   roundTrip(enveloped(preVoteToWire), sure(preVoteFromWire)),
		"RequestPreVoteResponse":  roundTrip(preVoteAnswerToWire, value(preVoteAnswerFromWire)),
		"TimeoutNowRequest":       roundTrip(enveloped(timeoutNowToWire), sure(timeoutNowFromWire)),
		"TimeoutNowResponse":      roundTrip(timeoutNowAnswerToWire, value(timeoutNowAnswerFromWire)),
		"InstallSnapshotRequest":  roundTrip(enveloped(installToWire), sure(installFromWire)),
		"InstallSnapshotResponse": roundTrip(installAnswerToWire, value(installAnswerFromWire)),
	} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, check) })
	}
}

// TestEntriesMustFollow: an append with a hole, or that does not begin after the entry that it names, is refused before
// raft stores it.
func TestEntriesMustFollow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		m := &raftv1.AppendEntriesRequest{PrevLogEntry: rapid.Uint64Range(0, 10).Draw(rt, "prev")}
		sound := true
		for i := range rapid.IntRange(1, 4).Draw(rt, "count") {
			e := &raftv1.Entry{Index: rapid.Uint64Range(0, 14).Draw(rt, "index")}
			if rapid.Bool().Draw(rt, "right") {
				e.Index = m.GetPrevLogEntry() + uint64(i) + 1
			}
			sound = sound && e.GetIndex() == m.GetPrevLogEntry()+uint64(i)+1
			m.Entries = append(m.Entries, e)
		}
		if _, err := appendFromWire(m); (err == nil) != sound {
			rt.Fatalf("prev %d, entries %v: accepted is %v", m.GetPrevLogEntry(), m.GetEntries(), err == nil)
		}
	})
}

// FuzzAppendFromWire: no bytes make the conversion panic, and what it accepts has no hole.
func FuzzAppendFromWire(f *testing.F) {
	sound, err := proto.Marshal(&raftv1.AppendEntriesRequest{
		Header: &raftv1.Header{Id: []byte("a")}, PrevLogEntry: 3, Entries: []*raftv1.Entry{{Index: 4, Data: []byte("x"), AppendedAt: 5}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sound)
	f.Fuzz(func(t *testing.T, b []byte) {
		var m raftv1.AppendEntriesRequest
		if proto.Unmarshal(b, &m) != nil {
			return
		}
		r, err := appendFromWire(&m)
		if err != nil {
			return
		}
		for i, l := range r.Entries {
			if l.Index != r.PrevLogEntry+uint64(i)+1 {
				t.Errorf("entry %d at position %d after %d", l.Index, i, r.PrevLogEntry)
			}
		}
	})
}
