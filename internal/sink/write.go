package sink

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// expected is an error where a statement has not changed as many rows as it must.
func expected(rows int64, want int, what string) error {
	if rows != int64(want) {
		return fmt.Errorf("%w: %d %s were to be changed, %d are there: make them anew in another schema", ErrRows, want, what, rows)
	}
	return nil
}

func (d *database) insertLedgers(ctx context.Context, tx pgx.Tx, b *batch) error {
	for _, e := range b.ledgers { // few
		_, err := tx.Exec(ctx, d.in("INSERT INTO %s.ledgers (name, asset, scale, created_sequence) VALUES ($1, $2, $3, $4)"),
			e.GetLedger(), e.GetAsset(), int32(e.GetScale()), int64(e.GetSequence())) //nolint:gosec // 18 at most; a sequence is far below 2^63
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *database) insertAccounts(ctx context.Context, tx pgx.Tx, b *batch) error {
	if len(b.opened) == 0 {
		return nil
	}
	rows := pgx.CopyFromSlice(len(b.opened), func(i int) ([]any, error) {
		a := &b.opened[i]
		zero := numeric(0, a.scale)
		return []any{a.id, a.ledger, zero, zero, orNone(!a.system, 0, a.scale), false, false, false, a.system, int64(a.sequence), int64(a.sequence)}, nil //nolint:gosec // as above
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{d.schema, "accounts"}, []string{
		"id", "ledger", "posted", "held", "floor", "frozen", "frozen_credits", "closed", "system", "opened_sequence", "last_sequence",
	}, rows)
	return err
}

func (d *database) updateAccounts(ctx context.Context, tx pgx.Tx, b *batch) error {
	n := len(b.accounts)
	if n == 0 {
		return nil
	}
	ids, last := make([]string, n), make([]int64, n)
	posted, held, floors, ceilings, lows := make([]pgtype.Numeric, n), make([]pgtype.Numeric, n), make([]pgtype.Numeric, n), make([]pgtype.Numeric, n), make([]pgtype.Numeric, n)
	limited, lowSet, closed := make([]bool, n), make([]bool, n), make([]bool, n)
	frozen, frozenCredits := make([]*bool, n), make([]*bool, n)
	for i, c := range b.accounts {
		ids[i], last[i], posted[i], held[i], closed[i] = c.id, int64(c.last), c.posted, numeric(c.held, c.scale), c.closed //nolint:gosec // as above
		if limited[i] = c.limits != nil; limited[i] {
			floors[i] = numeric(c.limits.GetFloor(), c.scale)
			ceilings[i] = orNone(c.limits.Ceiling != nil, c.limits.GetCeiling(), c.scale)
		}
		if c.freeze != nil {
			frozen[i], frozenCredits[i] = &c.freeze.Frozen, &c.freeze.FrozenCredits
		}
		if lowSet[i] = c.low != nil; lowSet[i] {
			lows[i] = orNone(c.low.GetThreshold() != 0, c.low.GetThreshold(), c.scale)
		}
	}
	tag, err := tx.Exec(ctx, d.in(`
		UPDATE %s.accounts a SET
			posted = coalesce(u.posted, a.posted), held = a.held + u.held,
			floor = CASE WHEN u.limited THEN u.floor ELSE a.floor END, ceiling = CASE WHEN u.limited THEN u.ceiling ELSE a.ceiling END,
			low_balance = CASE WHEN u.low_set THEN u.low ELSE a.low_balance END,
			frozen = coalesce(u.frozen, a.frozen), frozen_credits = coalesce(u.frozen_credits, a.frozen_credits),
			closed = a.closed OR u.closed, last_sequence = u.last
		FROM unnest($1::text[], $2::numeric[], $3::numeric[], $4::numeric[], $5::numeric[], $6::numeric[], $7::bool[], $8::bool[], $9::bool[], $10::bool[], $11::bool[], $12::bigint[])
			AS u (id, posted, held, floor, ceiling, low, limited, low_set, closed, frozen, frozen_credits, last)
		WHERE a.id = u.id`), ids, posted, held, floors, ceilings, lows, limited, lowSet, closed, frozen, frozenCredits, last)
	if err != nil {
		return err
	}
	return expected(tag.RowsAffected(), n, "accounts")
}

func (d *database) insertHolds(ctx context.Context, tx pgx.Tx, b *batch) error {
	var made []*holdChange
	for _, h := range b.holds {
		if h.created != 0 {
			made = append(made, h)
		}
	}
	if len(made) == 0 {
		return nil
	}
	rows := pgx.CopyFromSlice(len(made), func(i int) ([]any, error) {
		h := made[i]
		return []any{
			int64(h.created), h.id, h.account, h.state, numeric(h.amount, h.scale), numeric(h.captured, h.scale), //nolint:gosec // as above
			numeric(h.remaining, h.scale), h.inParts, h.expires, int64(h.last), //nolint:gosec // as above
		}, nil
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{d.schema, "holds"}, []string{
		"created_sequence", "id", "account", "state", "amount", "captured", "remaining", "in_parts", "expires", "last_sequence",
	}, rows)
	return err
}

// updateHolds changes holds that were made before the batch.
func (d *database) updateHolds(ctx context.Context, tx pgx.Tx, b *batch) error {
	var ids, states []string
	var captured, remaining []pgtype.Numeric
	var expires []time.Time
	var last []int64
	for _, h := range b.holds {
		if h.created == 0 {
			ids, states, expires, last = append(ids, h.id), append(states, h.state), append(expires, h.expires), append(last, int64(h.last)) //nolint:gosec // as above
			captured, remaining = append(captured, numeric(h.captured, h.scale)), append(remaining, numeric(h.remaining, h.scale))
		}
	}
	if len(ids) == 0 {
		return nil
	}
	tag, err := tx.Exec(ctx, d.in(`
		UPDATE %s.holds h SET
			state = u.state, captured = h.captured + u.captured, remaining = u.remaining, expires = u.expires, last_sequence = u.last
		FROM unnest($1::text[], $2::text[], $3::numeric[], $4::numeric[], $5::timestamptz[], $6::bigint[])
			AS u (id, state, captured, remaining, expires, last)
		WHERE h.id = u.id AND h.state = 'open'`), ids, states, captured, remaining, expires, last)
	if err != nil {
		return err
	}
	return expected(tag.RowsAffected(), len(ids), "open holds")
}

func (d *database) insertEntries(ctx context.Context, tx pgx.Tx, b *batch) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{d.schema, "entries"}, entryColumns, pgx.CopyFromRows(b.entries))
	return err
}
