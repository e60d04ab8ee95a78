package reconcile

import (
	"math/big"
	"strings"

	"github.com/ballastdb/ballast/client/amount"
	"github.com/ballastdb/ballast/internal/exporter"
	"github.com/ballastdb/ballast/internal/timetext"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Kind is how an account differs.
type Kind string

// Kinds of differences.
const (
	// Differs: both have the account, with balances that differ by more than the tolerance.
	Differs Kind = "differs"
	// MissingThere: we have the account, the other book does not.
	MissingThere Kind = "missing_there"
	// UnknownHere: the other book has an account that the ledger does not have.
	UnknownHere Kind = "unknown_here"
)

// Report is what a run found.
type Report struct {
	Ledger string
	// Index of the log and LogTime (Unix nanoseconds) at which our accounts were read; Sequence is the entry as of which they were
	// compared.
	Index, Sequence uint64
	LogTime         int64
	// Compared is how many accounts were; Agree of them within the tolerance, of which Tolerated are not equal; Differ the rest.
	Compared, Agree, Tolerated, Differ uint64
	// Differences are the first of those that differ, in order of our accounts' opening; then those that we do not have.
	Differences []Difference

	scale   uint32
	largest uint64
}

// Difference is one account that differs.
type Difference struct {
	Account string
	Kind    Kind
	// AgreedAt is the sequence number of our newest entry after which our balance was theirs; 0: none was found. Since is how many
	// entries of the account came after it.
	AgreedAt uint64
	Since    int

	ours, theirs balance
	distance     uint64
	entries      []*ballastv1.Entry
}

// Equal tells whether nothing differs.
func (r *Report) Equal() bool { return r.Differ == 0 }

// Largest is the largest difference of any account, as a decimal.
func (r *Report) Largest() string { return decimal(r.largest, r.scale) }

// decimal writes what may be more than an amount can be.
func decimal(units uint64, scale uint32) string {
	digits := new(big.Int).SetUint64(units).String()
	if scale == 0 {
		return digits
	}
	if short := int(scale) + 1 - len(digits); short > 0 {
		digits = strings.Repeat("0", short) + digits
	}
	at := len(digits) - int(scale)
	return digits[:at] + "." + digits[at:]
}

// View is the report in JSON.
type View struct {
	Ledger      string           `json:"ledger"`
	Equal       bool             `json:"equal"`
	Index       uint64           `json:"index"`
	Sequence    uint64           `json:"sequence"`
	LogTime     string           `json:"log_time"`
	Compared    uint64           `json:"compared"`
	Agree       uint64           `json:"agree"`
	Tolerated   uint64           `json:"tolerated"`
	Differ      uint64           `json:"differ"`
	Largest     string           `json:"largest"`
	Differences []DifferenceView `json:"differences"`
	// Untold is how many differences are not listed.
	Untold uint64 `json:"untold"`
}

// DifferenceView is a difference in JSON. A balance that is not there is empty.
type DifferenceView struct {
	Account    string      `json:"account"`
	Kind       Kind        `json:"kind"`
	Ours       string      `json:"ours"`
	Theirs     string      `json:"theirs"`
	Difference string      `json:"difference"` // ours less theirs
	AgreedAt   uint64      `json:"agreed_at"`
	Since      int         `json:"since"`
	Entries    []EntryView `json:"entries"`
}

// EntryView is an entry of an account that differs, in JSON, newest first.
type EntryView struct {
	Sequence  uint64 `json:"sequence"`
	LogTime   string `json:"log_time"`
	Kind      string `json:"kind"`
	Amount    string `json:"amount"` // signed: what it added to the account
	Posted    string `json:"posted"` // right after
	Operation string `json:"operation"`
	EventTime string `json:"event_time"`
	Code      uint32 `json:"code"`
	Reference string `json:"reference"`
}

// View is the report for programs.
func (r *Report) View() *View {
	v := &View{
		Ledger: r.Ledger, Equal: r.Equal(), Index: r.Index, Sequence: r.Sequence, LogTime: timetext.Format(r.LogTime), Compared: r.Compared,
		Agree: r.Agree, Tolerated: r.Tolerated, Differ: r.Differ, Largest: r.Largest(), Differences: []DifferenceView{},
		Untold: r.Differ - uint64(len(r.Differences)),
	}
	for i := range r.Differences {
		v.Differences = append(v.Differences, r.Differences[i].view(r.scale))
	}
	return v
}

func (d *Difference) view(scale uint32) DifferenceView {
	sign := ""
	if d.ours.units < d.theirs.units {
		sign = "-"
	}
	v := DifferenceView{
		Account: d.Account, Kind: d.Kind, Ours: d.ours.text(scale), Theirs: d.theirs.text(scale), Difference: sign + decimal(d.distance, scale),
		AgreedAt: d.AgreedAt, Since: d.Since, Entries: []EntryView{},
	}
	for _, e := range d.entries {
		signed := moved(e)
		if e.GetDebitAccount() == d.Account {
			signed = -signed
		}
		v.Entries = append(v.Entries, EntryView{
			Sequence: e.GetSequence(), LogTime: timetext.Format(e.GetLogTime()), Kind: exporter.KindName(e.GetKind()),
			Amount: amount.Format(signed, scale), Posted: amount.Format(postedAfter(e, d.Account), scale), Operation: e.GetOperationId(),
			EventTime: timetext.Format(e.GetEventTime()), Code: e.GetCode(), Reference: e.GetReference(),
		})
	}
	return v
}

func (b balance) text(scale uint32) string {
	if b.absent {
		return ""
	}
	return amount.Format(b.units, scale)
}
