package server

import "github.com/ballastdb/ballast/fsm/proposal"

// Part is the operations of one request: count of them, encoded one after the other.
type Part struct {
	Encoded []byte
	Count   int
}

// SealOperations returns a CoalescerConfig.Seal that makes proposals for a cluster at the version that clusterVersion
// tells.
func SealOperations(clusterVersion func() uint32) func(now int64, parts []Part) ([]byte, error) {
	return func(now int64, parts []Part) ([]byte, error) {
		builder := proposal.NewBuilder(clusterVersion())
		for _, p := range parts {
			if err := builder.Add(p.Encoded, p.Count); err != nil {
				return nil, err
			}
		}
		return builder.Finish(now), nil
	}
}
