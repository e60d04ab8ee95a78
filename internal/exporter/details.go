package exporter

import (
	"bytes"
	"encoding/json"
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Details is what only some kinds of entries have and no column of its own, as a JSON object with the wire's names; empty: nothing.
func Details(e *ballastv1.Entry) (string, error) {
	rest := &ballastv1.Entry{
		Asset: e.GetAsset(), Limits: e.GetLimits(), Freeze: e.GetFreeze(), Caps: e.GetCaps(), LowBalance: e.GetLowBalance(),
		TopUp: e.GetTopUp(), TopUpPolicy: e.GetTopUpPolicy(),
	}
	b, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(rest)
	var out bytes.Buffer
	if err == nil {
		err = json.Compact(&out, b) // whose spaces protojson varies on purpose
	}
	switch {
	case err != nil:
		return "", fmt.Errorf("details of entry %d: %w", e.GetSequence(), err)
	case out.String() == "{}":
		return "", nil
	}
	return out.String(), nil
}
