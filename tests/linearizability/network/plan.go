package network

import (
	"hash/fnv"
	"math/rand/v2"
	"time"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Plan says what happens to requests. It is drawn from the seed and the request's first operation, so that the same
// operation meets the same fate in every run of a seed, in whatever order requests arrive.
type Plan struct {
	Seed uint64
	// Delayed is the part of requests that wait before they are passed on, up to LongestDelay.
	Delayed      float64
	LongestDelay time.Duration
	// Copied is the part of requests of which a copy arrives later, up to LatestCopy after the answer; CopiedRefused the
	// same for requests with a refusal in the answer.
	Copied, CopiedRefused float64
	LatestCopy            time.Duration
}

// fate of one request.
type fate struct {
	delay         time.Duration
	copyAfter     time.Duration
	copied        bool
	copiedRefused bool
}

func (p *Plan) fate(op *ballastv1.Operation) fate {
	h := fnv.New64a()
	_, _ = h.Write([]byte(op.GetId()))
	r := rand.New(rand.NewPCG(p.Seed, h.Sum64()+uint64(op.GetAttempt())))
	f := fate{copied: r.Float64() < p.Copied, copiedRefused: r.Float64() < p.CopiedRefused}
	if r.Float64() < p.Delayed && p.LongestDelay > 0 {
		f.delay = rand1(r, p.LongestDelay)
	}
	if p.LatestCopy > 0 {
		f.copyAfter = rand1(r, p.LatestCopy)
	}
	return f
}

func rand1(r *rand.Rand, limit time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(limit)))
}
