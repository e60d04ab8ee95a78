package page

// Table holds records at slots 0..Len()-1. Records are changed in place and never removed.
type Table struct{ st *store }

// Len is the number of records.
func (t *Table) Len() uint64 { return t.st.tail }

// Get is the record at slot, to read only. It aliases the page: it shows later changes and must not outlive the shared
// access under which it was got. A slot beyond Len panics.
func (t *Table) Get(slot uint64) []byte { return t.st.get(slot) }

// Append adds a zeroed record, begun: fill it and call End with its slot.
func (t *Table) Append(index uint64) (slot uint64, rec []byte) { return t.st.append(index) }

// Begin starts a change of the record at slot and returns it to write to, all but its first 8 bytes. Call End after.
func (t *Table) Begin(slot uint64) []byte { return t.st.begin(slot) }

// End ends a change made at index. Indexes never fall; while a view is open they must be above the view's.
func (t *Table) End(slot, index uint64) { t.st.end(slot, index) }

// Queue holds records at positions Head()..Tail()-1: appended at the tail, dropped at the head. Positions only rise.
type Queue struct{ st *store }

// Head is the position of the oldest record; Tail, if there is none.
func (q *Queue) Head() uint64 { return q.st.head }

// Tail is the position that the next record gets.
func (q *Queue) Tail() uint64 { return q.st.tail }

// Len is the number of live records.
func (q *Queue) Len() uint64 { return q.st.tail - q.st.head }

// Get is the record at pos, to read only, as Table.Get.
func (q *Queue) Get(pos uint64) []byte { return q.st.get(pos) }

// Append adds a zeroed record at the tail, begun: fill it and call End with its position.
func (q *Queue) Append(index uint64) (pos uint64, rec []byte) { return q.st.append(index) }

// Begin starts a change of the record at pos, as Table.Begin.
func (q *Queue) Begin(pos uint64) []byte { return q.st.begin(pos) }

// End ends a change, as Table.End.
func (q *Queue) End(pos, index uint64) { q.st.end(pos, index) }

// DropHead removes the oldest record; index is that of the change, as in End. An empty queue panics.
func (q *Queue) DropHead(index uint64) { q.st.dropHead(index) }

// Unwrap finds the position in [head, head+2^bits) whose lowest bits are low: locators keep only those bits of a
// position that grows for ever, which is enough while fewer than 2^bits records live.
func Unwrap(head, low uint64, bits uint) uint64 { return head + (low-head)&(1<<bits-1) }
