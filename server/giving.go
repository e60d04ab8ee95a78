package server

// mayGive refuses to give what is large where that would be at the cost of all callers: a leader's disk and network are theirs.
func mayGive(gate *Gate, r Raft, fromLeader bool) *Failure {
	if failure := gate.pass(); failure != nil {
		return failure
	}
	if _, leading := leads(r); !leading || fromLeader {
		return nil
	}
	configuration, _, err := latest(r)
	if err != nil {
		return retryable("who the members are is not known: %v", err)
	}
	if len(configuration.Servers) > 1 {
		return precondition("this member leads, and others can give it without callers feeling it: ask one of them, or allow it (--from with this member's name)")
	}
	return nil
}
