package server

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/ballastdb/ballast/fsm/proposal"
	"github.com/ballastdb/ballast/internal/tlsauth"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// development is who calls where there is no TLS.
const development = "development"

// caller tells who makes a call: role and name of the certificate.
func caller(ctx context.Context) string {
	identity, err := tlsauth.FromContext(ctx)
	if err != nil {
		return development
	}
	text := identity.String()
	return text[:min(len(text), proposal.MaxBy)]
}

// GetSettingsHistory is ballastv1.OperatorServiceServer's. Only the leader answers: a member that was removed would show, as
// what happened, what happened until then.
func (o *Operator) GetSettingsHistory(
	ctx context.Context, _ *ballastv1.GetSettingsHistoryRequest,
) (*ballastv1.GetSettingsHistoryResponse, error) {
	if _, ok := leads(o.cfg.Raft); !ok {
		return nil, withLeader(notLeader(nil), o.leader)
	}
	if err := o.readHere(ctx); err != nil {
		return nil, err
	}
	answer := &ballastv1.GetSettingsHistoryResponse{}
	for _, c := range o.cfg.Store.SettingChanges() {
		number := proposal.SettingNumber(c.Setting)
		answer.Changes = append(answer.Changes, &ballastv1.SettingChange{
			Index: c.Index, Time: c.Time, Name: settingName(number), By: c.By,
			Before: settingText(number, c.Before), After: settingText(number, c.After),
		})
	}
	return answer, nil
}

// settingName is the name of a setting in ballast.v1.
func settingName(number proposal.SettingNumber) string {
	names := map[proposal.SettingNumber]string{
		proposal.SettingIDWindow: "id_window", proposal.SettingIDBudgetBytes: "id_budget_bytes",
		proposal.SettingRefusedSharePercent: "refused_share_percent", proposal.SettingCheckpointInterval: "checkpoint_interval",
		proposal.SettingLogRetentionBytes: "log_retention_bytes", proposal.SettingLogRetentionTime: "log_retention_time",
		proposal.SettingLogPinBytes: "log_pin_bytes", proposal.SettingSnapshotMinLogBytes: "snapshot_min_log_bytes",
		proposal.SettingSnapshotMaxLogBytes: "snapshot_max_log_bytes", proposal.SettingMaxTransfers: "max_transfers",
		proposal.SettingTransferRate: "transfer_rate", proposal.SettingBackfillRate: "backfill_rate",
	}
	if name, ok := names[number]; ok {
		return name
	}
	return fmt.Sprintf("setting %d", number)
}

// settingText is a value as ballast settings set takes it.
func settingText(number proposal.SettingNumber, value uint64) string {
	if number == proposal.SettingIDWindow || number == proposal.SettingLogRetentionTime {
		return time.Duration(value).String()
	}
	return strconv.FormatUint(value, 10)
}
