//go:build faults

package ledger

// Damage changes the posted balance of an account behind the tables' backs, as failing memory does. Only builds for tests
// have it. False: there is no such account.
func (s *State) Damage(id []byte) bool {
	slot, ok := s.find(id)
	if ok {
		s.accounts.Get(uint64(slot))[10] ^= 1
	}
	return ok
}
