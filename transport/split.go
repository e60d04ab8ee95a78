package transport

import (
	"fmt"

	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/internal/guard"
)

// entryOverhead bounds what an entry takes on the wire besides its data and extensions.
const entryOverhead = 64

func entryBytes(l *raft.Log) int { return len(l.Data) + len(l.Extensions) + entryOverhead }

func appendBytes(entries []*raft.Log) int {
	bytes := 0
	for _, l := range entries {
		bytes += entryBytes(l)
	}
	return bytes
}

// fitting is how many of the entries go in one message: at least one, as many as stay within the target.
func (c *Config) fitting(entries []*raft.Log) (int, error) {
	if !guard.On("grpc-appends") {
		return len(entries), nil
	}
	bytes := 0
	for i, l := range entries {
		one := entryBytes(l)
		if limit := c.MaxMessageBytes - messageOverhead; one > limit {
			if i > 0 {
				return i, nil
			}
			return 0, fmt.Errorf("entry %d: expected at most %d bytes, found %d; proposals must be smaller than MaxMessageBytes", l.Index, limit, one)
		}
		if bytes += one; i > 0 && bytes > c.MaxAppendBytes {
			return i, nil
		}
	}
	return len(entries), nil
}

// shorten cuts the request's entries to what fits in one message. Raft counts every entry of the request as stored when
// the call succeeds, and calls again for the others.
func (c *Config) shorten(r *raft.AppendEntriesRequest) error {
	n, err := c.fitting(r.Entries)
	if err != nil {
		return err
	}
	r.Entries = r.Entries[:n]
	return nil
}

// split makes a chain of requests that together store what r stores: each names the last entry of the one before.
func (c *Config) split(r *raft.AppendEntriesRequest) ([]*raft.AppendEntriesRequest, error) {
	var parts []*raft.AppendEntriesRequest
	rest := *r
	for {
		n, err := c.fitting(rest.Entries)
		if err != nil {
			return nil, err
		}
		part := rest
		part.Entries = rest.Entries[:n]
		parts = append(parts, &part)
		if n == len(rest.Entries) {
			return parts, nil
		}
		last := rest.Entries[n-1]
		rest.PrevLogEntry, rest.PrevLogTerm = last.Index, last.Term
		rest.Entries = rest.Entries[n:]
	}
}

// provenCommit is the commit index to send with r: not beyond the last entry that r itself names. The receiver commits
// up to the lesser of what it is told and its own last index, which may lie beyond r, in a tail that r did not compare.
func provenCommit(r *raft.AppendEntriesRequest) uint64 {
	return min(r.LeaderCommitIndex, r.PrevLogEntry+uint64(len(r.Entries)))
}
