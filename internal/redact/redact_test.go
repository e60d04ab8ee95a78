package redact

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func pem(body string) string {
	return "-----BEGIN EC PRIVATE KEY-----\n" + body + "\n-----END EC PRIVATE KEY-----\n"
}

func TestPrivateKeysAreTakenOut(t *testing.T) {
	key := pem("c2VjcmV0IG9uZQ==\nc2VjcmV0IHR3bw==")
	quoted, err := json.Marshal(map[string]string{"error": key})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"plain": "before\n" + key + "after", "in JSON": "before " + string(quoted) + " after",
		"cut off": "before " + key[:50], "two": "before " + key + key + "after", "plain PKCS 8": "before " + strings.ReplaceAll(key, "EC ", "") + "after",
	} {
		got := string(PrivateKeys([]byte(text)))
		if strings.Contains(got, "c2Vj") || !strings.HasPrefix(got, "before") || !strings.Contains(got, removed) {
			t.Errorf("%s: %q", name, got)
		}
		if strings.HasSuffix(text, "after") && !strings.HasSuffix(got, "after") {
			t.Errorf("%s: too much is gone: %q", name, got)
		}
	}
	if text := []byte("-----BEGIN CERTIFICATE-----\nMII=\n-----END CERTIFICATE-----"); !bytes.Equal(PrivateKeys(text), text) {
		t.Error("a certificate is no secret")
	}
}

// No line of a key survives, whatever stands around it.
func TestNoLineOfAKeySurvives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := base64.StdEncoding.EncodeToString(rapid.SliceOfN(rapid.Byte(), 30, 90).Draw(t, "key"))
		text := rapid.String().Draw(t, "before") + pem(body) + rapid.String().Draw(t, "after")
		cut := rapid.IntRange(0, len(text)).Draw(t, "cut")
		for _, text := range []string{text, text[:cut]} {
			if got := PrivateKeys([]byte(text)); bytes.Contains(got, []byte(body[:20])) {
				t.Fatalf("%q has the key in it", got)
			}
		}
	})
}
