package amount

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	for _, c := range []struct {
		units int64
		scale uint32
		want  string
	}{
		{0, 0, "0"},
		{0, 2, "0.00"},
		{-5, 2, "-0.05"},
		{1234, 2, "12.34"},
		{-100, 2, "-1.00"},
		{1, 18, "0.000000000000000001"},
		{math.MaxInt64, 0, "9223372036854775807"},
		{math.MinInt64, 0, "-9223372036854775808"},
		{math.MinInt64, 18, "-9.223372036854775808"},
	} {
		if got := Format(c.units, c.scale); got != c.want {
			t.Errorf("Format(%d, %d) = %q, want %q", c.units, c.scale, got, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale uint32
		want  error
	}{
		{"1.005", 2, ErrTooManyDecimals},
		{"0.1", 0, ErrTooManyDecimals},
		{"9223372036854775808", 0, ErrRange},
		{"-9223372036854775809", 0, ErrRange},
		{"92233720368547758.08", 2, ErrRange},
		{"1", 19, ErrScale},
		{"", 2, ErrSyntax},
		{"-", 2, ErrSyntax},
		{".", 2, ErrSyntax},
		{"1.", 2, ErrSyntax},
		{".5", 2, ErrSyntax},
		{"1.2.3", 2, ErrSyntax},
		{"--1", 2, ErrSyntax},
		{"1e3", 2, ErrSyntax},
		{"1,000", 2, ErrSyntax},
		{" 1", 2, ErrSyntax},
		{"0x10", 2, ErrSyntax},
		{"١", 2, ErrSyntax},
		{strings.Repeat("0", maxText+1), 2, ErrSyntax},
	} {
		if units, err := Parse(c.text, c.scale); !errors.Is(err, c.want) {
			t.Errorf("Parse(%q, %d) = %d, %v; want %v", c.text, c.scale, units, err, c.want)
		}
	}
}

func TestParseReadsWhatFormatWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Int64().Draw(t, "units")
		scale := rapid.Uint32Range(0, MaxScale).Draw(t, "scale")
		text := Format(units, scale)
		got, err := Parse(text, scale)
		if err != nil || got != units {
			t.Fatalf("Format(%d, %d) = %q, read as %d, %v", units, scale, text, got, err)
		}
	})
}

// FuzzParse holds Parse against exact arithmetic: what it accepts has that very value, and what has a value that fits
// is accepted.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"0", "-0.05", "+12.3400", "92233720368547758.07", "-92233720368547758.08", "1.005", "1e3", "abc", "00.10"} {
		f.Add(text, uint32(2))
	}
	f.Add("9.223372036854775807", uint32(18))
	f.Fuzz(func(t *testing.T, text string, scale uint32) {
		got, err := Parse(text, scale)
		if scale > MaxScale {
			if !errors.Is(err, ErrScale) {
				t.Fatalf("scale %d: %v", scale, err)
			}
			return
		}
		want, fits := exact(text, scale)
		if (err == nil) != fits || err == nil && got != want {
			t.Fatalf("Parse(%q, %d) = %d, %v; exact arithmetic: %d, %v", text, scale, got, err, want, fits)
		}
	})
}

// exact computes text * 10^scale with arbitrary precision; false unless it is a plain decimal whose value fits.
func exact(text string, scale uint32) (int64, bool) {
	plain := strings.TrimLeft(text, "+-")
	if len(text) > maxText || len(text)-len(plain) > 1 || strings.HasPrefix(plain, ".") || strings.HasSuffix(plain, ".") ||
		strings.Trim(plain, "0123456789.") != "" || strings.Count(plain, ".") > 1 {
		return 0, false
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return 0, false
	}
	value.Mul(value, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)))
	if !value.IsInt() || !value.Num().IsInt64() {
		return 0, false
	}
	return value.Num().Int64(), true
}
