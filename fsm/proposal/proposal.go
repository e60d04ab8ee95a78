package proposal

import (
	"errors"
	"fmt"
	"time"

	"github.com/ballastdb/ballast/fsm/ledger"
)

// Kind says what a proposal does. Numbers are part of the format: append-only.
type Kind uint8

// Kinds of proposals.
const (
	// KindOperations is a batch of operations on the books.
	KindOperations Kind = 1
	// KindMarker is the first command of a leader's term: once it is applied, so is everything of earlier terms.
	KindMarker Kind = 2
	// KindCheckpoint asks every member to record the digest of its state.
	KindCheckpoint Kind = 3
	// KindSettings changes replicated settings.
	KindSettings Kind = 4
	// KindAnnounce records a member's addresses.
	KindAnnounce Kind = 5
	// KindForget removes a member's addresses.
	KindForget Kind = 6
	// KindRaiseVersion raises the cluster version.
	KindRaiseVersion Kind = 7
	// KindMark asks every member to take a snapshot of the state right behind it.
	KindMark Kind = 8
	// KindTick lets log time pass for the books: holds that are due expire.
	KindTick Kind = 9
)

// String is the kind's name as in docs/formats/proposal.md.
func (k Kind) String() string {
	switch k {
	case KindOperations:
		return "operations"
	case KindMarker:
		return "marker"
	case KindCheckpoint:
		return "checkpoint"
	case KindSettings:
		return "settings"
	case KindAnnounce:
		return "announce"
	case KindForget:
		return "forget"
	case KindRaiseVersion:
		return "raise-version"
	case KindMark:
		return "mark"
	case KindTick:
		return "tick"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// FormatVersion is the version of the layout that this package writes, and the newest that it reads.
const FormatVersion = 1

// Bounds of a proposal, bytes unless said otherwise.
const (
	// MaxBytes is where a batch is full: more operations go into the next proposal.
	MaxBytes = 256 << 10
	// HardMaxBytes is what no proposal exceeds: one request of many operations, kept together.
	HardMaxBytes = 1 << 20
	// MaxText is the longest id, address or other text that the format carries. The ledger's own bounds are lower.
	MaxText = 127
	// MaxMemberID and MaxAddress bound what KindAnnounce carries.
	MaxMemberID = 192
	MaxAddress  = 264
	// MaxSettings is how many settings one proposal changes at most.
	MaxSettings = 64
	// MaxBy bounds who changes settings.
	MaxBy = 80
)

// Errors of Decode; each is wrapped with what was expected and what was found. After any of them the proposal must not
// be applied and nothing after it either.
var (
	// ErrCorrupt: the bytes are not what was proposed.
	ErrCorrupt = errors.New("corrupt proposal")
	// ErrNewerVersion: the proposal was made by a newer program and has parts that this one does not know.
	ErrNewerVersion = errors.New("proposal of a newer version")
	// ErrUnknownKind: a kind of command that this program does not know.
	ErrUnknownKind = errors.New("proposal of an unknown kind")
)

// ErrTooLarge: the operations do not fit one proposal.
var ErrTooLarge = errors.New("proposal too large")

// Proposal is a decoded proposal. Which fields are set depends on Kind.
type Proposal struct {
	Kind Kind
	// ClusterVersion that the proposer's state had.
	ClusterVersion uint32
	// Time is the leader's stamp, Unix nanoseconds.
	Time int64

	// Operations of KindOperations, in order. Owned by the Decoder; their slices alias the proposal's bytes.
	Operations []ledger.Operation
	// Term of KindMarker: the proposer's.
	Term uint64
	// Settings of KindSettings, by rising number. Owned by the Decoder.
	Settings []Setting
	// By tells who changed them, at most MaxBy bytes.
	By string
	// Member of KindAnnounce; of KindForget only its ID.
	Member Member
	// Version of KindRaiseVersion: the wanted cluster version.
	Version uint32
}

// Member is a member's raft server id and its addresses, each host:port, at most MaxAddress bytes.
type Member struct {
	ID, MemberAddress, ClientAddress, OperatorAddress string
	// StayNonVoter: it is not to be promoted but by command.
	StayNonVoter bool
	// NewestVersion is the newest cluster version that its program applies; 0: not known.
	NewestVersion uint32
}

// Setting is a replicated setting: a number and a value of the type that the number has.
type Setting struct {
	Number SettingNumber
	// Value is the number itself, or nanoseconds.
	Value uint64
}

// SettingNumber names a setting. Numbers are part of the format: append-only.
type SettingNumber uint16

// Settings, with their types.
const (
	SettingIDWindow            SettingNumber = 1 // duration
	SettingIDBudgetBytes       SettingNumber = 2 // number
	SettingRefusedSharePercent SettingNumber = 3 // number
	SettingCheckpointInterval  SettingNumber = 4 // number
	// Of upkeep.
	SettingLogRetentionBytes   SettingNumber = 5  // number
	SettingLogRetentionTime    SettingNumber = 6  // duration
	SettingLogPinBytes         SettingNumber = 7  // number
	SettingSnapshotMinLogBytes SettingNumber = 8  // number
	SettingSnapshotMaxLogBytes SettingNumber = 9  // number
	SettingMaxTransfers        SettingNumber = 10 // number
	SettingTransferRate        SettingNumber = 11 // number, bytes a second
	SettingBackfillRate        SettingNumber = 12 // number, bytes a second
)

// lastSetting is the highest number that this version knows.
const lastSetting = SettingBackfillRate

// settingType is how a setting's value is written, so that a dump can be read without knowing the setting.
type settingType uint8

const (
	typeNumber   settingType = 1
	typeDuration settingType = 2
)

// settingTypeOf is 0 for a number that this version does not know.
func settingTypeOf(n SettingNumber) settingType {
	switch {
	case n == 0 || n > lastSetting:
		return 0
	case n == SettingIDWindow || n == SettingLogRetentionTime:
		return typeDuration
	}
	return typeNumber
}

// Duration is the value of a setting that is a duration.
func (s Setting) Duration() time.Duration { return time.Duration(s.Value) }
