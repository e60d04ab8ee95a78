package ledger

// keyed is a slot with what orders it.
type keyed struct {
	key  int64
	slot uint32
}

func (a keyed) before(b keyed) bool { return a.key < b.key || a.key == b.key && a.slot < b.slot }

// slotHeap is a binary heap of slots, the lowest key first and of equal keys the lowest slot, so that its order depends
// on nothing but what is in it.
type slotHeap struct {
	items []keyed
	// moved is told where a slot has come to, -1: out; nil: nobody is.
	moved func(slot uint32, at int)
}

func (h *slotHeap) put(at int, k keyed) {
	h.items[at] = k
	if h.moved != nil {
		h.moved(k.slot, at)
	}
}

func (h *slotHeap) push(k keyed) {
	h.items = append(h.items, k)
	h.up(len(h.items)-1, k)
}

// first is the lowest; false: there is none.
func (h *slotHeap) first() (keyed, bool) {
	if len(h.items) == 0 {
		return keyed{}, false
	}
	return h.items[0], true
}

// remove takes out what is at a place.
func (h *slotHeap) remove(at int) {
	out, end := h.items[at], len(h.items)-1
	last := h.items[end]
	h.items = h.items[:end]
	if h.moved != nil {
		h.moved(out.slot, -1)
	}
	if at < end {
		h.fix(at, last)
	}
}

// fix puts k where at was and restores the order.
func (h *slotHeap) fix(at int, k keyed) {
	if at > 0 && k.before(h.items[(at-1)/2]) {
		h.up(at, k)
	} else {
		h.down(at, k)
	}
}

func (h *slotHeap) up(at int, k keyed) {
	for at > 0 {
		parent := (at - 1) / 2
		if !k.before(h.items[parent]) {
			break
		}
		h.put(at, h.items[parent])
		at = parent
	}
	h.put(at, k)
}

func (h *slotHeap) down(at int, k keyed) {
	for {
		child := 2*at + 1
		if child >= len(h.items) {
			break
		}
		if right := child + 1; right < len(h.items) && h.items[right].before(h.items[child]) {
			child = right
		}
		if !h.items[child].before(k) {
			break
		}
		h.put(at, h.items[child])
		at = child
	}
	h.put(at, k)
}
