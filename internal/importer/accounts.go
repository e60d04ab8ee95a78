package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// accountsPerCall is how many accounts one call reads or creates; the wire allows 1,000.
const accountsPerCall = 500

// readAccounts looks up the file's accounts: amounts are counted in this ledger's units, so an account of another one
// must not be touched.
func (r *run) readAccounts(ctx context.Context) error {
	for ids := range slices.Chunk(r.plan.order, accountsPerCall) {
		var found []*ballastv1.Account
		var logTime int64
		err := r.persist(ctx, func(ctx context.Context) (err error) {
			found, logTime, err = r.store.Accounts(ctx, ids)
			return err
		})
		if err != nil {
			return err
		}
		r.logTime = max(r.logTime, logTime)
		for _, a := range found {
			known := r.plan.accounts[a.GetId()]
			if known == nil {
				return fmt.Errorf("the store answered with account %q, which was not asked for", a.GetId())
			}
			known.exists = true
			known.lastSequence = a.GetLastSequence()
			if a.GetLedger() != r.Ledger {
				known.problem = fmt.Sprintf("account %q belongs to ledger %q, not %q", a.GetId(), a.GetLedger(), r.Ledger)
			}
		}
	}
	return r.refuseAccounts()
}

// refuseAccounts marks the rows of accounts that cannot be used as bad: found before anything was sent, they cost no
// operation id, whose refusal would be final. Each account is named once, at its first row.
func (r *run) refuseAccounts() error {
	refused := false
	for _, id := range r.plan.order {
		a := r.plan.accounts[id]
		if !a.exists && !r.CreateAccounts {
			a.problem = fmt.Sprintf("account %q does not exist; --create-accounts opens it", id)
		}
		if a.problem != "" {
			refused = true
			r.plan.unusable++
		}
	}
	if !refused {
		return nil
	}
	defer r.plan.sortBad()
	return r.eachRow(func(next *row) error {
		if a := r.plan.accounts[next.account]; a.problem != "" {
			if a.named {
				r.plan.markBad(next.line)
			} else {
				r.plan.addBad(next.line, fmt.Sprintf("%s (rows of this account: %d)", a.problem, a.rows))
			}
			a.named = true
			r.plan.rows--
		}
		return nil
	})
}

// eachRow reads the file again and calls do with every row that the check found good. It stops where the file is not
// what was checked.
func (r *run) eachRow(do func(*row) error) error {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	reader, err := newRowReader(newSameReader(r.file, r.plan.content), r.Columns, r.IDPrefix, r.scale)
	if err != nil {
		return r.changed(err)
	}
	for {
		var next row
		err := reader.next(&next)
		if errors.Is(err, io.EOF) {
			return nil
		}
		var malformed *badRow
		if _, known := r.plan.badLines[reader.line]; known && (err == nil || errors.As(err, &malformed)) {
			continue
		}
		if err == nil && r.plan.accounts[next.account] == nil {
			err = fmt.Errorf("line %d: account %q was not there before", next.line, next.account)
		}
		if err != nil {
			return r.changed(err)
		}
		if err := do(&next); err != nil {
			return err
		}
	}
}

func (r *run) changed(err error) error {
	return fmt.Errorf("%s changed while it was imported: %w", r.File, err)
}

// createAccounts opens the accounts that are missing. Their operation ids follow from the account's, so that a run that
// was cut short here goes on.
func (r *run) createAccounts(ctx context.Context) error {
	missing := slices.DeleteFunc(slices.Clone(r.plan.order), func(id string) bool {
		a := r.plan.accounts[id]
		return a.exists || a.problem != ""
	})
	for ids := range slices.Chunk(missing, accountsPerCall) {
		ops := make([]*ballastv1.Operation, len(ids))
		for i, id := range ids {
			ops[i] = &ballastv1.Operation{
				Id: accountOperation(r.IDPrefix, id), Attempt: r.Attempt, IssuedAt: r.issuedAt,
				Kind: &ballastv1.Operation_CreateAccount{
					CreateAccount: &ballastv1.CreateAccount{Account: id, Ledger: r.Ledger, Floor: r.floor},
				},
			}
		}
		results, _, err := r.submit(ctx, ops)
		if err != nil {
			return err
		}
		for i, result := range results {
			switch result.GetCode() {
			case ballastv1.ResultCode_RESULT_CODE_APPLIED:
				r.report.AccountsCreated++
			case ballastv1.ResultCode_RESULT_CODE_ACCOUNT_EXISTS: // opened by somebody else since we looked
			default:
				return fmt.Errorf("account %q could not be opened: %s%s", ids[i], reason(result), r.advice(result.GetCode()))
			}
		}
	}
	return nil
}

// accountOperation is the id of the operation that opens an account.
func accountOperation(prefix, id string) string {
	if plain := prefix + "account:" + id; len(plain) <= maxIDLen {
		return plain
	}
	sum := sha256.Sum256([]byte(prefix + "account:" + id))
	return "account:" + hex.EncodeToString(sum[:16])
}
