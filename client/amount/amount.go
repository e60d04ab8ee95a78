// Package amount converts amounts between int64 minor units and decimal text, exactly: nothing is ever rounded, and a
// text that does not fit the scale exactly is an error.
package amount

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// MaxScale is the largest number of decimal places.
const MaxScale = 18

// maxText bounds the text that Parse looks at: sign, 19 digits, a point and generous zeros.
const maxText = 64

// Errors of Parse, for errors.Is.
var (
	// ErrSyntax: the text is not a decimal number of the form -123.45.
	ErrSyntax = errors.New("not a decimal number")
	// ErrTooManyDecimals: the text has decimal places that the scale has no room for.
	ErrTooManyDecimals = errors.New("too many decimals")
	// ErrRange: the amount does not fit 64 bits at this scale.
	ErrRange = errors.New("out of range")
	// ErrScale: the scale is above MaxScale.
	ErrScale = errors.New("scale out of range")
)

// Format writes units at a scale with exactly scale decimal places: Format(-5, 2) is "-0.05". A scale above MaxScale is
// written as if it were MaxScale.
func Format(units int64, scale uint32) string {
	places := int(min(scale, MaxScale))
	magnitude := uint64(units)
	sign := ""
	if units < 0 {
		magnitude, sign = -magnitude, "-"
	}
	if places == 0 {
		return fmt.Sprintf("%s%d", sign, magnitude)
	}
	digits := fmt.Sprintf("%0*d", places+1, magnitude)
	point := len(digits) - places
	return sign + digits[:point] + "." + digits[point:]
}

// Parse reads decimal text, such as "12", "-0.5" or "+3.40", as minor units at a scale. Zeros beyond the scale are
// accepted ("1.50" at scale 1), other digits there are ErrTooManyDecimals. No exponents, no separators of thousands, no
// spaces.
func Parse(text string, scale uint32) (int64, error) {
	if scale > MaxScale {
		return 0, fmt.Errorf("%w: %d, expected 0 to %d", ErrScale, scale, MaxScale)
	}
	if len(text) > maxText {
		return 0, fmt.Errorf("%w: %d characters, expected at most %d", ErrSyntax, len(text), maxText)
	}
	rest, negative := cutSign(text)
	whole, decimals, point := strings.Cut(rest, ".")
	if !isDigits(whole) || whole == "" || !isDigits(decimals) || point && decimals == "" {
		return 0, fmt.Errorf("%w: %q, expected digits such as 12.34", ErrSyntax, text)
	}
	kept := decimals
	if len(kept) > int(scale) {
		kept = kept[:scale]
		if strings.Trim(decimals[scale:], "0") != "" {
			return 0, fmt.Errorf("%w: %q, expected at most %d decimal places", ErrTooManyDecimals, text, scale)
		}
	}
	units, ok := signed(whole+kept+strings.Repeat("0", int(scale)-len(kept)), negative)
	if !ok {
		return 0, fmt.Errorf("%w: %q, expected %s to %s", ErrRange, text, Format(math.MinInt64, scale), Format(math.MaxInt64, scale))
	}
	return units, nil
}

func cutSign(text string) (rest string, negative bool) {
	if text == "" {
		return text, false
	}
	switch text[0] {
	case '-':
		return text[1:], true
	case '+':
		return text[1:], false
	}
	return text, false
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// signed is the value of digits; false where it does not fit.
func signed(digits string, negative bool) (int64, bool) {
	limit := uint64(math.MaxInt64)
	if negative {
		limit++
	}
	var magnitude uint64
	for i := range len(digits) {
		digit := uint64(digits[i] - '0')
		if magnitude > (limit-digit)/10 {
			return 0, false
		}
		magnitude = magnitude*10 + digit
	}
	if negative {
		return -int64(magnitude), true
	}
	return int64(magnitude), true
}
