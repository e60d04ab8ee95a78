package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetSettings answers with what SetSettings left.
func (f *fakeCluster) GetSettings(context.Context, *ballastv1.GetSettingsRequest) (*ballastv1.GetSettingsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &ballastv1.GetSettingsResponse{Settings: f.currentSettings()}, nil
}

// SetSettings keeps the fields that are present.
func (f *fakeCluster) SetSettings(_ context.Context, r *ballastv1.SetSettingsRequest) (*ballastv1.SetSettingsResponse, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.currentSettings()
	proto.Merge(s, r.GetSettings())
	f.settings = s
	return &ballastv1.SetSettingsResponse{Settings: s}, nil
}

func (f *fakeCluster) currentSettings() *ballastv1.Settings {
	if f.settings != nil {
		return f.settings
	}
	return &ballastv1.Settings{
		IdWindow: durationpb.New(168 * time.Hour), IdBudgetBytes: proto.Uint64(1 << 30), RefusedSharePercent: proto.Uint32(10),
		CheckpointInterval: proto.Uint32(1000), LogRetentionBytes: proto.Uint64(1 << 30), LogRetentionTime: durationpb.New(time.Hour),
		LogPinBytes: proto.Uint64(4 << 30), SnapshotMinLogBytes: proto.Uint64(16 << 20), SnapshotMaxLogBytes: proto.Uint64(1 << 30),
		MaxTransfers: proto.Uint32(1), TransferRate: proto.Uint64(64 << 20), BackfillRate: proto.Uint64(8 << 20),
	}
}

func TestSettings(t *testing.T) {
	f, s := start(t)
	if out := s.must("settings", "get", "-o", "csv"); !strings.Contains(out, "id_window,168h0m0s,") || strings.Count(out, "\n") != 13 {
		t.Errorf("settings are\n%s", out)
	}
	s.must("settings", "set", "id_window=72h", "checkpoint_interval=5000", "log_retention_time=30m", "transfer_rate=1000000")
	if got := f.settings; got.GetIdWindow().AsDuration() != 72*time.Hour || got.GetCheckpointInterval() != 5000 || got.GetIdBudgetBytes() != 1<<30 ||
		got.GetLogRetentionTime().AsDuration() != 30*time.Minute || got.GetTransferRate() != 1_000_000 || got.GetBackfillRate() != 8<<20 {
		t.Errorf("set to %v", got)
	}
	if out := s.must("settings", "get", "checkpoint_interval", "-o", "json"); strings.Join(strings.Fields(out), "") != `{"checkpoint_interval":"5000"}` {
		t.Errorf("got %s", out)
	}
	for _, wrong := range [][]string{
		{"set", "id_windw=72h"},
		{"set", "id_window"},
		{"set", "id_window=72"},
		{"set", "id_window=1h", "id_window=2h"},
		{"set", "checkpoint_interval=-1"},
		{"set", "refused_share_percent=4294967297"},
		{"get", "id_windw"},
		{"set"},
	} {
		if r := s.run(append([]string{"settings"}, wrong...)...); r.code != exitUsage || r.err == "" {
			t.Errorf("%q: exit %d, %s", wrong, r.code, r.err)
		}
	}
	if f.settings.GetIdWindow().AsDuration() != 72*time.Hour {
		t.Errorf("a refused command changed something: %v", f.settings)
	}
}
