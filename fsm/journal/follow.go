package journal

import "math"

// Follow checks whole entries that come behind a position, by the chain alone, and answers the position behind them. ErrCorrupt:
// they do not belong there.
func Follow(format Format, from Position, entries []byte) (Position, error) {
	j := &Journal{format: format, limit: math.MaxUint64}
	grown, _, err := j.measure(newSegment(from), entries, format.Chain)
	if err != nil {
		return from, err
	}
	return grown.until(), nil
}
