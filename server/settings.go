package server

import (
	"context"
	"errors"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetSettings is ballastv1.OperatorServiceServer's.
func (o *Operator) GetSettings(
	ctx context.Context, _ *ballastv1.GetSettingsRequest,
) (*ballastv1.GetSettingsResponse, error) {
	if _, ok := leads(o.cfg.Raft); ok {
		ctx, cancel := context.WithTimeout(ctx, o.cfg.Timeout)
		defer cancel()
		if _, err := o.cfg.Reads.Wait(ctx); err != nil {
			return nil, withLeader(err, o.leader)
		}
	}
	return &ballastv1.GetSettingsResponse{Settings: settingsProto(o.settings())}, nil
}

// SetSettings is ballastv1.OperatorServiceServer's.
func (o *Operator) SetSettings(
	ctx context.Context, r *ballastv1.SetSettingsRequest,
) (*ballastv1.SetSettingsResponse, error) {
	c, failure := o.change(ctx)
	if failure != nil {
		return nil, failure
	}
	defer c.end()
	wanted, list, failure := changedSettings(o.settings(), r.GetSettings())
	if failure != nil {
		return nil, failure
	}
	if err := wanted.Validate(); err != nil {
		return nil, invalidSetting(err)
	}
	if len(list) == 0 {
		return nil, invalid("settings: want at least one, found none")
	}
	if err := o.cfg.Commands.Settings(c.ctx, list); err != nil {
		return nil, withLeader(err, o.leader)
	}
	return &ballastv1.SetSettingsResponse{Settings: settingsProto(o.settings())}, nil
}

func (o *Operator) settings() (s ledger.Settings) {
	o.cfg.Store.ReadIndexed(func(state *ledger.State, _ uint64) { s = state.Settings() })
	return s
}

// changedSettings applies the fields that are present to s, and lists them for a proposal by rising number.
func changedSettings(s ledger.Settings, p *ballastv1.Settings) (ledger.Settings, []proposal.Setting, *Failure) {
	var list []proposal.Setting
	add := func(number proposal.SettingNumber, value uint64) {
		list = append(list, proposal.Setting{Number: number, Value: value})
	}
	if window := p.GetIdWindow(); window != nil {
		if err := window.CheckValid(); err != nil || window.AsDuration() <= 0 {
			return s, nil, invalid("id_window: want %s to %s, found %v", ledger.MinIDWindow, ledger.MaxIDWindow, window)
		}
		s.IDWindow = window.AsDuration()
		add(proposal.SettingIDWindow, uint64(s.IDWindow))
	}
	if p != nil && p.IdBudgetBytes != nil {
		s.IDBudgetBytes = p.GetIdBudgetBytes()
		add(proposal.SettingIDBudgetBytes, s.IDBudgetBytes)
	}
	if p != nil && p.RefusedSharePercent != nil {
		s.RefusedSharePercent = p.GetRefusedSharePercent()
		add(proposal.SettingRefusedSharePercent, uint64(s.RefusedSharePercent))
	}
	if p != nil && p.CheckpointInterval != nil {
		s.CheckpointInterval = p.GetCheckpointInterval()
		add(proposal.SettingCheckpointInterval, uint64(s.CheckpointInterval))
	}
	return s, list, nil
}

func invalidSetting(err error) *Failure {
	var field *ledger.FieldError
	if errors.As(err, &field) {
		return invalid("settings.%s: %s", field.Field, field.Problem)
	}
	return invalid("settings: %v", err)
}

func settingsProto(s ledger.Settings) *ballastv1.Settings {
	return &ballastv1.Settings{
		IdWindow: durationpb.New(s.IDWindow), IdBudgetBytes: &s.IDBudgetBytes,
		RefusedSharePercent: &s.RefusedSharePercent, CheckpointInterval: &s.CheckpointInterval,
	}
}
