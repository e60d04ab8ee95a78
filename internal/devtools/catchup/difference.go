package catchup

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/ballastdb/ballast/internal/testcluster"
)

// Sizes of records of the state, docs/formats/state.md.
const (
	accountRecord = 128
	// fewIDs are more than what is in flight when accounts are changed.
	fewIDs = 4 << 20
)

// onePercent changes one account in a hundred while a voter is beyond the log.
func onePercent(ctx context.Context, r *rig) error {
	return r.difference(ctx, max(r.Accounts/100, 1), 1.2)
}

// allChanged changes every account.
func allChanged(ctx context.Context, r *rig) error {
	return r.difference(ctx, r.Accounts, 1.1)
}

// difference cuts one of three voters off, changes accounts and goes on with the same ones until that member is beyond the
// log, lets it back and counts what went over the wire: at most most times the bytes of the changed records.
func (r *rig) difference(ctx context.Context, accounts int, most float64) error {
	if err := r.form(ctx, shape{voters: 3}); err != nil {
		return err
	}
	if err := errors.Join(r.set(ctx, smallIDs(fewIDs)), r.shortLog(ctx)); err != nil {
		return err
	}
	if _, err := r.equal(ctx, time.Minute); err != nil {
		return err
	}
	leader, err := r.leader(ctx)
	if err != nil {
		return err
	}
	away := r.others(leader)[0]
	before, err := r.carriedTo(away, leader)
	if err != nil {
		return err
	}
	mark := r.markLogs()
	if err := r.cut(away); err != nil {
		return err
	}
	changing := r.some(accounts)
	if err := r.credit(ctx, changing); err != nil {
		return err
	}
	index, err := r.committed(ctx)
	if err != nil {
		return err
	}
	more, err := r.creditUntil(ctx, changing, func() error { return r.beyondLog(ctx, index, away) })
	if err != nil {
		return err
	}
	r.tell("%s is beyond the log, after %d operations", away.Name, accounts+more)
	if err := r.heal(); err != nil {
		return err
	}
	took, err := r.equal(ctx, 3*time.Minute)
	if err != nil {
		return err
	}
	after, err := r.carriedTo(away, leader)
	if err != nil {
		return err
	}
	r.tell("%s is equal after %v: %v", away.Name, took, after.minus(before))
	return r.reportDifference(away, mark, after.minus(before), accounts, most)
}

// idTables tells whether a table of the state holds operation ids.
func idTable(number string) bool {
	n, err := strconv.Atoi(number)
	return err == nil && (n == 16 || n >= 64)
}

func (r *rig) reportDifference(
	away *testcluster.Member, mark logMark, c carried, accounts int, most float64,
) error {
	times, pages, reused, byTable, err := mark.staged(away)
	if err != nil {
		return err
	}
	ids, items := 0.0, 0.0
	for table, bytes := range byTable {
		items += bytes
		if idTable(table) {
			ids += bytes
		}
	}
	state, changed := float64(r.Accounts*accountRecord), float64(accounts*accountRecord)
	r.report.holds("beyond_the_log", times > 0)
	r.report.add("snapshots_staged", float64(times), unitCount)
	r.report.add("pages", pages, unitCount)
	r.report.add("pages_kept", reused, unitCount)
	r.report.add("state", state, unitBytes)
	r.report.add("changed_records", changed, unitBytes)
	wire := float64(c.pages())
	r.report.add("asked_and_answered", wire, unitBytes)
	r.report.add("ids", ids, unitBytes)
	// Requests for ids count as those for records: the wire does not tell them apart.
	r.report.atMost("pages_and_records", (wire-ids)/changed, "times changed", most)
	r.report.add("items", items, unitBytes)
	r.report.atMost("manifest", float64(c.install+c.manifests), unitBytes, state*0.005)
	r.report.atLeast("from_others", float64(c.pagesOthers)/max(wire, 1), "share", 0.5)
	r.report.add("journal", float64(c.journal), unitBytes)
	r.report.add("appends", float64(c.appended), unitBytes)
	return nil
}
