package server

import (
	"context"
	"errors"
	"math"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/ballastdb/ballast/fsm/ledger"
	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/fsm/upkeep"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// GetSettings is ballastv1.OperatorServiceServer's.
func (o *Operator) GetSettings(
	ctx context.Context, _ *ballastv1.GetSettingsRequest,
) (*ballastv1.GetSettingsResponse, error) {
	if err := o.readHere(ctx); err != nil {
		return nil, err
	}
	return &ballastv1.GetSettingsResponse{Settings: o.settings().proto()}, nil
}

// readHere waits, on the leader, until its state shows everything that was acknowledged before the question. Other members
// answer from what they have.
func (o *Operator) readHere(ctx context.Context) error {
	if _, ok := leads(o.cfg.Raft); !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Timeout)
	defer cancel()
	if _, err := o.cfg.Reads.Wait(ctx); err != nil {
		return withLeader(err, o.leader)
	}
	return nil
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
	wanted := o.settings()
	list := wanted.change(r.GetSettings())
	if err := wanted.validate(); err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, invalid("settings: want at least one, found none")
	}
	if err := o.cfg.Commands.Settings(c.ctx, caller(ctx), list); err != nil {
		return nil, withLeader(err, o.leader)
	}
	return &ballastv1.SetSettingsResponse{Settings: o.settings().proto()}, nil
}

// settings are all that are replicated.
type settings struct {
	books  ledger.Settings
	upkeep upkeep.Settings
}

func (o *Operator) settings() (s settings) {
	o.cfg.Store.ReadIndexed(func(state *ledger.State, _ uint64) { s.books = state.Settings() })
	s.upkeep = o.cfg.Store.Upkeep()
	return s
}

// change applies the fields that are present to s, and lists them for a proposal by rising number.
func (s *settings) change(p *ballastv1.Settings) []proposal.Setting {
	if p == nil {
		return nil
	}
	c := changes{}
	c.duration(proposal.SettingIDWindow, p.GetIdWindow(), &s.books.IDWindow)
	c.number(proposal.SettingIDBudgetBytes, p.IdBudgetBytes, &s.books.IDBudgetBytes)
	c.number32(proposal.SettingRefusedSharePercent, p.RefusedSharePercent, &s.books.RefusedSharePercent)
	c.number32(proposal.SettingCheckpointInterval, p.CheckpointInterval, &s.books.CheckpointInterval)
	c.number(proposal.SettingLogRetentionBytes, p.LogRetentionBytes, &s.upkeep.LogRetentionBytes)
	c.duration(proposal.SettingLogRetentionTime, p.GetLogRetentionTime(), &s.upkeep.LogRetentionTime)
	c.number(proposal.SettingLogPinBytes, p.LogPinBytes, &s.upkeep.LogPinBytes)
	c.number(proposal.SettingSnapshotMinLogBytes, p.SnapshotMinLogBytes, &s.upkeep.SnapshotMinLogBytes)
	c.number(proposal.SettingSnapshotMaxLogBytes, p.SnapshotMaxLogBytes, &s.upkeep.SnapshotMaxLogBytes)
	c.number32(proposal.SettingMaxTransfers, p.MaxTransfers, &s.upkeep.MaxTransfers)
	c.number(proposal.SettingTransferRate, p.TransferRate, &s.upkeep.TransferRate)
	c.number(proposal.SettingBackfillRate, p.BackfillRate, &s.upkeep.BackfillRate)
	return c
}

// changes are the settings of a proposal.
type changes []proposal.Setting

func (c *changes) add(number proposal.SettingNumber, value uint64) {
	*c = append(*c, proposal.Setting{Number: number, Value: value})
}

func (c *changes) number(number proposal.SettingNumber, given *uint64, field *uint64) {
	if given != nil {
		*field = *given
		c.add(number, *given)
	}
}

func (c *changes) number32(number proposal.SettingNumber, given *uint32, field *uint32) {
	if given != nil {
		*field = *given
		c.add(number, uint64(*given))
	}
}

// duration takes one that is no duration as the least there is, which is out of all bounds.
func (c *changes) duration(number proposal.SettingNumber, given *durationpb.Duration, field *time.Duration) {
	if given == nil {
		return
	}
	*field = given.AsDuration()
	if given.CheckValid() != nil {
		*field = math.MinInt64
	}
	c.add(number, uint64(*field))
}

// validate refuses what is out of its bounds.
func (s *settings) validate() error {
	var books *ledger.FieldError
	var care *upkeep.FieldError
	err := errors.Join(s.books.Validate(), s.upkeep.Validate())
	switch {
	case err == nil:
		return nil
	case errors.As(err, &books):
		return invalid("settings.%s: %s", books.Field, books.Problem)
	case errors.As(err, &care):
		return invalid("settings.%s: %s", care.Field, care.Problem)
	}
	return invalid("settings: %v", err)
}

func (s settings) proto() *ballastv1.Settings {
	return &ballastv1.Settings{
		IdWindow: durationpb.New(s.books.IDWindow), IdBudgetBytes: &s.books.IDBudgetBytes,
		RefusedSharePercent: &s.books.RefusedSharePercent, CheckpointInterval: &s.books.CheckpointInterval,
		LogRetentionBytes: &s.upkeep.LogRetentionBytes, LogRetentionTime: durationpb.New(s.upkeep.LogRetentionTime),
		LogPinBytes: &s.upkeep.LogPinBytes, SnapshotMinLogBytes: &s.upkeep.SnapshotMinLogBytes,
		SnapshotMaxLogBytes: &s.upkeep.SnapshotMaxLogBytes, MaxTransfers: &s.upkeep.MaxTransfers,
		TransferRate: &s.upkeep.TransferRate, BackfillRate: &s.upkeep.BackfillRate,
	}
}
