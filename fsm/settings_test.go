package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/upkeep"
	"github.com/ballastdb/ballast/internal/vfs"
)

// testUpkeep changes settings of upkeep, beside those of the books, and sees what is told of them.
func testUpkeep(t *testing.T, f *FSM, set func(...proposal.Setting) *Response) {
	t.Helper()
	var told []upkeep.Settings
	f.OnUpkeep(func(s upkeep.Settings) { told = append(told, s) })
	rate := proposal.Setting{Number: proposal.SettingTransferRate, Value: 1 << 20}
	if r := set(proposal.Setting{Number: proposal.SettingIDWindow, Value: 7200e9}, rate); r.Err != nil {
		t.Error(r.Err)
	}
	want := upkeep.Default()
	want.TransferRate = 1 << 20
	set(rate) // once more the same
	for _, wrong := range [][]proposal.Setting{
		{{Number: proposal.SettingIDWindow, Value: 1}, {Number: proposal.SettingTransferRate, Value: 1 << 21}},
		{{Number: proposal.SettingIDWindow, Value: 3600e9}, {Number: proposal.SettingMaxTransfers, Value: 1<<32 + 1}},
	} {
		if r := set(wrong...); r.Err == nil {
			t.Errorf("%v is taken", wrong)
		}
	}
	var books ledger.Settings
	f.Read(func(b *ledger.State) { books = b.Settings() })
	if f.Upkeep() != want || books.IDWindow != 2*time.Hour {
		t.Errorf("settings %+v, %+v, want %+v", books, f.Upkeep(), want)
	}
	if !reflect.DeepEqual(told, []upkeep.Settings{upkeep.Default(), want}) {
		t.Errorf("told %+v", told)
	}
}

// TestUpkeepIsToldWhenRestored: a member that gets its settings by a snapshot acts on them at once.
func TestUpkeepIsToldWhenRestored(t *testing.T) {
	s := newScript(1)
	change, err := proposal.EncodeSettings(testStart, 1, "test", []proposal.Setting{{Number: proposal.SettingMaxTransfers, Value: 3}})
	must(t, err)
	s.command(change)
	a := openOn(t, vfs.NewMem())
	a.ApplyBatch(s.logs)
	b := openOn(t, vfs.NewMem())
	var told upkeep.Settings
	b.OnUpkeep(func(s upkeep.Settings) { told = s })
	must(t, install(b, persist(t, a)))
	if told.MaxTransfers != 3 || told != b.Upkeep() {
		t.Errorf("told %+v", told)
	}
}
