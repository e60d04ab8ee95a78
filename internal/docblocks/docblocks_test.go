package docblocks

import (
	"reflect"
	"testing"
)

func TestOf(t *testing.T) {
	const page = "Text.\n\n```sh workstation\na\nb\n```\n\n```toml\nno\n```\n\n```sh node-1 node-2\nc\n```\n\n```sh\nd\n```\n"
	want := []Block{
		{Places: []string{Workstation}, Text: "a\nb\n"},
		{Places: []string{"node-1", "node-2"}, Text: "c\n"},
		{Places: []string{}, Text: "d\n"},
	}
	if got := Of(page); !reflect.DeepEqual(got, want) {
		t.Fatalf("found %q, want %q", got, want)
	}
}
