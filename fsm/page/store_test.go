package page

import "testing"

// TestNumberDivides compares the multiplication with the division, around every boundary that it could miss.
func TestNumberDivides(t *testing.T) {
	for size := uint64(16); size <= Size/2; size += 8 {
		st := &store{perPage: Size / size}
		st.inverse = inverseOf(st.perPage)
		for _, number := range []uint64{0, 1, 2, 1<<20 - 1, 1 << 31, 1<<54/st.perPage - 1} {
			for _, pos := range []uint64{number * st.perPage, number*st.perPage + 1, (number+1)*st.perPage - 1} {
				if got := st.number(pos); got != pos/st.perPage {
					t.Fatalf("position %d of pages of %d records: page %d, want %d", pos, st.perPage, got, pos/st.perPage)
				}
			}
		}
	}
}
