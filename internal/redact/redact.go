// Package redact takes out of text what must not leave a machine.
package redact

import (
	"bytes"
	"regexp"
)

// removed stands where a key was.
const removed = "[a private key was here]"

var begin = regexp.MustCompile(`-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----`)

var end = regexp.MustCompile(`-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----`)

// PrivateKeys takes out every PEM private key, also one whose newlines are written as in JSON or that is cut off. A text without any is
// returned as it is.
func PrivateKeys(text []byte) []byte {
	var out []byte
	for {
		at := begin.FindIndex(text)
		if at == nil {
			if out == nil {
				return text
			}
			return append(out, text...)
		}
		out = append(append(out, text[:at[0]]...), removed...)
		text = text[at[1]:]
		body := bodyLen(text)
		if last := end.FindIndex(text); last != nil && last[0] <= body {
			body = last[1]
		}
		text = text[body:]
	}
}

// bodyLen is how long what may be a key's body goes on: Base64, headers' blanks, newlines, and those as they are escaped.
func bodyLen(text []byte) int {
	n := bytes.IndexFunc(text, func(r rune) bool {
		switch {
		case r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return false
		}
		return !bytes.ContainsRune([]byte("+/=\r\n\t \\:,-"), r)
	})
	if n < 0 {
		return len(text)
	}
	return n
}
