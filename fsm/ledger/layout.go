package ledger

import (
	"encoding/binary"

	"github.com/ballastdb/ballast/fsm/page"
)

// Tables of a State. Ids are part of every stored page: append-only. 6 and 13 to 15 are kept for kinds of
// records to come. docs/formats/state.md has the records.
const (
	tableMeta     = 0
	tableSettings = 1
	tableLedgers  = 2
	tableAccounts = 3
	tableQueues   = 4 // one record for each queue of operation ids
	tableCells    = 5 // horizons of refused ids
	tableHolds    = 7
	tableTopUps   = 8
	tableVelocity = 9  // caps of accounts
	tableReversal = 10 // entries that were reversed
	tableLow      = 11 // low-balance thresholds
	tablePolicies = 12 // on topping up accounts
	tableDone     = 16 // queue: ids of operations that took effect
	tableRefused  = 64 // queues 64 to 127: ids of refused operations, by bucket
)

// Sizes of records in bytes, the leading index included.
const (
	metaBytes      = 128
	settingsBytes  = 64
	ledgerBytes    = 128
	accountBytes   = 128
	queueBytes     = 32
	cellBytes      = 16
	holdBytes      = 192
	velocityBytes  = 352
	reversalBytes  = 32
	lowBytes       = 32
	topUpBytes     = 240
	policyBytes    = 512
	operationBytes = 80
)

const (
	bucketCount    = 64
	cellCount      = 4096
	cellsPerBucket = cellCount / bucketCount
	// Bits of a position in a locator of the id indexes: more than a queue has live records, see Settings.limits.
	donePosBits   = 33
	bucketPosBits = 27
	// stateFormat is the version of all records.
	stateFormat = 1
	// systemPrefix begins the ids of system accounts and no others.
	systemPrefix = '@'
	maxLedgers   = 1 << 16
	maxAccounts  = 1<<32 - 2
	maxHolds     = 1<<32 - 2
	maxReversals = 1<<32 - 2
	maxTopUps    = 1<<32 - 2
)

var le = binary.LittleEndian

func i64(b []byte) int64       { return int64(le.Uint64(b)) }
func putI64(b []byte, v int64) { le.PutUint64(b, uint64(v)) }

// meta is the one record of tableMeta, kept decoded and written once per call.
type meta struct {
	logTime    int64  // Unix ns, never falls
	horizon    int64  // Unix ns, never falls: ids of the done queue with keep below it are forgotten
	cellMax    int64  // the newest horizon of any cell
	sequence   uint64 // of the newest entry
	journal    page.Digest
	bytes      uint64 // length of all entries
	exactCount uint64 // exact records in the refused queues, live or not
}

func (m *meta) encode(rec []byte) {
	le.PutUint32(rec[8:], stateFormat)
	putI64(rec[16:], m.logTime)
	putI64(rec[24:], m.horizon)
	putI64(rec[32:], m.cellMax)
	le.PutUint64(rec[40:], m.sequence)
	le.PutUint64(rec[48:], m.journal[0])
	le.PutUint64(rec[56:], m.journal[1])
	le.PutUint64(rec[64:], m.bytes)
	le.PutUint64(rec[72:], m.exactCount)
}

func decodeMeta(rec []byte) meta {
	return meta{
		logTime:    i64(rec[16:]),
		horizon:    i64(rec[24:]),
		cellMax:    i64(rec[32:]),
		sequence:   le.Uint64(rec[40:]),
		journal:    page.Digest{le.Uint64(rec[48:]), le.Uint64(rec[56:])},
		bytes:      le.Uint64(rec[64:]),
		exactCount: le.Uint64(rec[72:]),
	}
}

// Flags of an account.
const (
	flagFrozen        = 1 << 0 // no debits
	flagFrozenCredits = 1 << 1 // no credits either
	flagClosed        = 1 << 2
	flagSystem        = 1 << 3
	flagCeiling       = 1 << 4 // ceiling counts
	flagVelocity      = 1 << 5 // it has caps, see velocity.go
	flagLowBalance    = 1 << 6 // it has a low-balance threshold, see lowbalance.go
	flagTopUp         = 1 << 7 // a policy on topping it up is in force, see topuppolicy.go
)

// offAccountLedger is where an account's record has its ledger's slot.
const offAccountLedger = 56

// account is the part of an account's record that changes, decoded. The id follows it in the record and never changes.
type account struct {
	posted  int64  // credits less debits
	held    int64  // >= 0
	floor   int64  // <= 0
	ceiling int64  // >= 0 where flagCeiling is set, else 0
	version uint64 // >= 1
	last    uint64 // sequence of the newest entry, 0: none
	ledger  uint32 // slot
	flags   uint16
}

func decodeAccount(rec []byte) account {
	_ = rec[accountBytes-1]
	return account{
		posted:  i64(rec[8:]),
		held:    i64(rec[16:]),
		floor:   i64(rec[24:]),
		ceiling: i64(rec[32:]),
		version: le.Uint64(rec[40:]),
		last:    le.Uint64(rec[48:]),
		ledger:  le.Uint32(rec[offAccountLedger:]),
		flags:   le.Uint16(rec[60:]),
	}
}

func (a *account) encode(rec []byte) {
	_ = rec[accountBytes-1]
	putI64(rec[8:], a.posted)
	putI64(rec[16:], a.held)
	putI64(rec[24:], a.floor)
	putI64(rec[32:], a.ceiling)
	le.PutUint64(rec[40:], a.version)
	le.PutUint64(rec[48:], a.last)
	le.PutUint32(rec[56:], a.ledger)
	le.PutUint16(rec[60:], a.flags)
}

func accountID(rec []byte) []byte { return rec[64 : 64+rec[63] : 128] }

func putAccountID(rec, id []byte) {
	rec[63] = byte(len(id))
	copy(rec[64:], id)
}

// Ledger record: index 8 | slots of the system accounts 4, 4 | scale, length of name, length of asset | name | asset.
type ledger struct {
	credits, debits uint32 // slots of the system accounts: @NAME/credits is debited by credits, @NAME/debits credited by debits
	scale           uint8
	name, asset     []byte // alias the record
}

func decodeLedger(rec []byte) ledger {
	return ledger{
		credits: le.Uint32(rec[8:]),
		debits:  le.Uint32(rec[12:]),
		scale:   rec[16],
		name:    rec[24 : 24+rec[17]],
		asset:   rec[56 : 56+rec[18]],
	}
}

func (l *ledger) encode(rec []byte) {
	le.PutUint32(rec[8:], l.credits)
	le.PutUint32(rec[12:], l.debits)
	rec[16], rec[17], rec[18] = l.scale, byte(len(l.name)), byte(len(l.asset))
	copy(rec[24:56], l.name)
	copy(rec[56:72], l.asset)
}
