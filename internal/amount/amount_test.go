package amount

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		text    string
		scale   uint32
		want    int64
		problem string // part of the error; empty: none
	}{
		{"12", 2, 1200, ""},
		{"12.5", 2, 1250, ""},
		{"12.50", 2, 1250, ""},
		{"12.5000", 2, 1250, ""},
		{".5", 2, 50, ""},
		{"5.", 2, 500, ""},
		{"+5", 0, 5, ""},
		{"-0.01", 2, -1, ""},
		{"92233720368547758.07", 2, math.MaxInt64, ""},
		{"-92233720368547758.08", 2, math.MinInt64, ""},
		{"0000000000000000000000000000000000001", 0, 1, ""},
		{"92233720368547758.08", 2, 0, "out of range"},
		{"-92233720368547758.09", 2, 0, "out of range"},
		{"100000000000000000000000000", 0, 0, "out of range"},
		{"1.005", 2, 0, "has too many decimals (3); the ledger's scale is 2"},
		{"1.5", 0, 0, "has too many decimals (1); the ledger's scale is 0"},
		{"1,000.00", 2, 0, "no separators"},
		{"1e3", 2, 0, "plain decimal"},
		{"1.2.3", 2, 0, "plain decimal"},
		{"--1", 2, 0, "plain decimal"},
		{"", 2, 0, "not a number"},
		{".", 2, 0, "not a number"},
		{"-", 2, 0, "not a number"},
		{"١", 2, 0, "plain decimal"},
		{strings.Repeat("x", 1000), 2, 0, "..."},
	} {
		got, err := Parse(c.text, c.scale)
		if c.problem == "" {
			if err != nil || got != c.want {
				t.Errorf("Parse(%q, %d) = %d, %v; want %d", c.text, c.scale, got, err, c.want)
			}
			continue
		}
		var problem *Error
		if !errors.As(err, &problem) || !strings.Contains(err.Error(), c.problem) {
			t.Errorf("Parse(%q, %d) = %d, %v; want an error with %q", c.text, c.scale, got, err, c.problem)
		}
	}
}

func TestFormatParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.Int64().Draw(t, "units")
		scale := rapid.Uint32Range(0, MaxScale).Draw(t, "scale")
		text := Format(units, scale)
		back, err := Parse(text, scale)
		if err != nil || back != units {
			t.Fatalf("Parse(Format(%d, %d) = %q) = %d, %v", units, scale, text, back, err)
		}
	})
}

// FuzzParse compares with arbitrary precision arithmetic.
func FuzzParse(f *testing.F) {
	f.Add("12.50", uint8(2))
	f.Add("-9223372036854775808", uint8(0))
	f.Add("0.000000000000000001", uint8(18))
	f.Fuzz(func(t *testing.T, text string, scale8 uint8) {
		scale := uint32(scale8) % (MaxScale + 1)
		got, err := Parse(text, scale)
		if err != nil {
			return
		}
		exact, ok := new(big.Rat).SetString(strings.TrimSuffix(text, "."))
		if !ok {
			t.Fatalf("Parse(%q) accepted what is not a number", text)
		}
		unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
		if exact.Mul(exact, new(big.Rat).SetInt(unit)).Cmp(new(big.Rat).SetInt64(got)) != 0 {
			t.Fatalf("Parse(%q, %d) = %d", text, scale, got)
		}
	})
}
