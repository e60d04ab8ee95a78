package node

import (
	"bytes"
	"errors"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"
)

// A cached log answers as the log itself does, whatever is stored, deleted and read, and stays within its bound.
func TestLogCacheAnswersLikeItsStore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const limit = 4 * (entryOverhead + 40)
		plain, cached := raft.NewInmemStore(), newLogCache(monotonic{raft.NewInmemStore()}, limit)
		both := func(do func(raft.LogStore) error) {
			if a, b := do(plain), do(cached); !errors.Is(b, a) {
				t.Fatalf("the store said %v, the cache %v", a, b)
			}
		}
		first, next := uint64(1), uint64(1)
		read := func(t *rapid.T) {
			index := rapid.Uint64Range(0, next+1).Draw(t, "index")
			var a, b raft.Log
			if ea, eb := plain.GetLog(index, &a), cached.GetLog(index, &b); !errors.Is(eb, ea) {
				t.Fatalf("entry %d: the store said %v, the cache %v", index, ea, eb)
			}
			if a.Index != b.Index || a.Term != b.Term || !bytes.Equal(a.Data, b.Data) {
				t.Fatalf("entry %d: the store has %+v, the cache %+v", index, a, b)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"store": func(t *rapid.T) {
				var logs []*raft.Log
				for range rapid.IntRange(1, 5).Draw(t, "count") {
					data := rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "data")
					logs = append(logs, &raft.Log{Index: next, Term: next, Data: data})
					next++
				}
				both(func(s raft.LogStore) error { return s.StoreLogs(logs) })
			},
			"delete suffix": func(t *rapid.T) {
				if next == first {
					return
				}
				from := rapid.Uint64Range(first, next-1).Draw(t, "from")
				both(func(s raft.LogStore) error { return s.DeleteRange(from, next-1) })
				next = from
			},
			"delete prefix": func(t *rapid.T) {
				if next == first {
					return
				}
				to := rapid.Uint64Range(first, next-1).Draw(t, "to")
				both(func(s raft.LogStore) error { return s.DeleteRange(first, to) })
				first = to + 1
			},
			"read": read,
			"": func(t *rapid.T) {
				if cached.bytes > limit {
					t.Fatalf("%d bytes are kept, allowed are %d", cached.bytes, limit)
				}
			},
		})
	})
}

// monotonic is a log that is not kept.
type monotonic struct{ raft.LogStore }

// IsMonotonic implements raft.MonotonicLogStore.
func (monotonic) IsMonotonic() bool { return true }
