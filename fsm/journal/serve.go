package journal

import "errors"

// MaxRead is what ReadEntries gives at most, bytes.
const MaxRead = 4 << 20

// ReadEntries reads whole entries that follow entry after, checked: at most maxBytes of them, but at least one; none where
// the journal ends there. It is how one member's journal fills another's hole. ErrMissing: the next one is in a hole here
// too. ErrNotFound: the journal ends before it. ErrCorrupt: it is damaged.
func (j *Journal) ReadEntries(after uint64, maxBytes int) ([]byte, error) {
	c := j.Cursor()
	b, err := c.Following(after, maxBytes)
	if err = errors.Join(err, c.Close()); err != nil {
		return nil, err
	}
	return b, nil
}

// Following is ReadEntries for one who reads on and on: the cursor's file stays open. What it returns is the caller's.
func (c *Cursor) Following(after uint64, maxBytes int) ([]byte, error) {
	if after == c.j.End().Sequence {
		return nil, nil
	}
	return c.following(after, min(maxBytes, MaxRead))
}

func (c *Cursor) following(after uint64, maxBytes int) (entries []byte, err error) {
	full := false
	for at := after; !full; {
		b, err := c.block(at + 1)
		if err != nil {
			return entries, unlessSome(entries, err)
		}
		good := len(entries)
		err = c.j.walk(b, func(pos Position, entry []byte) {
			full = full || len(entries) > 0 && len(entries)+len(entry) > maxBytes
			if pos.Sequence > at && !full {
				entries = append(entries, entry...)
			}
		})
		if err != nil {
			return entries[:good], unlessSome(entries[:good], err)
		}
		at = b.to.Sequence
	}
	return entries, nil
}

// unlessSome keeps an error back while there is something to give: the next read meets it again.
func unlessSome(entries []byte, err error) error {
	if len(entries) > 0 && !errors.Is(err, ErrReplaced) {
		return nil
	}
	return err
}
