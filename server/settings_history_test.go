package server

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm/proposal"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Every change of a setting is remembered with its values before and after, when and by whom; what is set to what it was
// is no change.
func TestSettingsHistory(t *testing.T) {
	m := newMember(t, nil)
	budget := uint64(2 << 30)
	for _, s := range []*ballastv1.Settings{
		{IdWindow: durationpb.New(3600e9), IdBudgetBytes: &budget}, {IdBudgetBytes: &budget}, {IdWindow: durationpb.New(7200e9)},
	} {
		if _, err := m.operator.SetSettings(testContext(t), &ballastv1.SetSettingsRequest{Settings: s}); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := m.operator.GetSettingsHistory(testContext(t), &ballastv1.GetSettingsHistoryRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range answer.GetChanges() {
		got = append(got, fmt.Sprintf("%s %s->%s by %s", c.GetName(), c.GetBefore(), c.GetAfter(), c.GetBy()))
		if c.GetIndex() == 0 || c.GetTime() != m.now.UnixNano() {
			t.Errorf("index %d, time %d", c.GetIndex(), c.GetTime())
		}
	}
	want := "[id_window 1h0m0s->2h0m0s by development id_budget_bytes 1073741824->2147483648 by development id_window 168h0m0s->1h0m0s by development]"
	if fmt.Sprint(got) != want {
		t.Errorf("found %s\nwant  %s", got, want)
	}
}

// Every setting has the name that it has in ballast.v1.
func TestEverySettingHasItsName(t *testing.T) {
	fields := (&ballastv1.Settings{}).ProtoReflect().Descriptor().Fields()
	for n := 1; n <= fields.Len(); n++ {
		if name := settingName(proposal.SettingNumber(n)); name != string(fields.ByNumber(protoreflect.FieldNumber(n)).Name()) {
			t.Errorf("setting %d is called %q", n, name)
		}
	}
}
