//go:build faults

package fsm

// Damage changes an account's balance in memory, as failing memory does. Only builds for tests have it. False: there is no
// such account.
func (f *FSM) Damage(account string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.books.Damage([]byte(account))
}
