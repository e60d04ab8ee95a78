// Package amount converts between decimals that people write and minor units that the store counts, exactly.
package amount

import (
	"fmt"
	"math"
	"strings"
)

// MaxScale is the largest number of decimal places that a ledger can have.
const MaxScale = 18

// Error says why a text is not an amount of a ledger.
type Error struct {
	// Text is what was given, cut to 64 bytes.
	Text string
	// Problem says what was expected and found.
	Problem string
}

// Error names the text and the problem.
func (e *Error) Error() string { return fmt.Sprintf("amount %q: %s", e.Text, e.Problem) }

// Parse reads a decimal as minor units of the given scale (at most MaxScale). It takes an optional sign, digits and at
// most one point; digits beyond the scale must be zeros. Nothing is ever rounded. Errors are *Error.
func Parse(text string, scale uint32) (int64, error) {
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(digits, "+")
	}
	whole, fraction, _ := strings.Cut(digits, ".")
	if problem := malformed(whole, fraction); problem != "" {
		return 0, newError(text, problem)
	}
	significant := strings.TrimRight(fraction, "0")
	if uint64(len(significant)) > uint64(scale) {
		return 0, newError(text, fmt.Sprintf("has too many decimals (%d); the ledger's scale is %d", len(significant), scale))
	}
	units, ok := accumulate(whole, significant, int(scale), negative)
	if !ok {
		return 0, newError(text, fmt.Sprintf("is out of range; at scale %d it must lie between %s and %s",
			scale, Format(math.MinInt64, scale), Format(math.MaxInt64, scale)))
	}
	return units, nil
}

func newError(text, problem string) *Error {
	if len(text) > 64 {
		text = text[:61] + "..."
	}
	return &Error{Text: text, Problem: problem}
}

func malformed(whole, fraction string) string {
	if whole == "" && fraction == "" {
		return "is not a number; write digits with a point before decimals, such as 12.50"
	}
	for _, part := range []string{whole, fraction} {
		for i := range len(part) {
			if part[i] < '0' || part[i] > '9' {
				return "is not a plain decimal; write digits with a point before decimals and no separators, such as 1250.75"
			}
		}
	}
	return ""
}

// accumulate counts downwards, because the range below zero is the larger one.
func accumulate(whole, fraction string, scale int, negative bool) (int64, bool) {
	units := int64(0)
	for i := range len(whole) + scale {
		digit := int64(0)
		switch {
		case i < len(whole):
			digit = int64(whole[i] - '0')
		case i-len(whole) < len(fraction):
			digit = int64(fraction[i-len(whole)] - '0')
		}
		if units < math.MinInt64/10 || units*10 < math.MinInt64+digit {
			return 0, false
		}
		units = units*10 - digit
	}
	if negative {
		return units, true
	}
	return -units, units != math.MinInt64
}

// Format writes minor units as a decimal with exactly scale places.
func Format(units int64, scale uint32) string {
	magnitude := uint64(units)
	if units < 0 {
		magnitude = -magnitude
	}
	digits := fmt.Sprintf("%0*d", int(scale)+1, magnitude)
	if scale > 0 {
		point := len(digits) - int(scale)
		digits = digits[:point] + "." + digits[point:]
	}
	if units < 0 {
		return "-" + digits
	}
	return digits
}
