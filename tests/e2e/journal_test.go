package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/ballastdb/ballast/internal/testcluster"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// TestJournalIsMended: a follower's journal is gone, or damaged in the middle. It starts all the same and answers balances;
// statements that need what is missing say so; once it reaches others it fetches that by itself, and they are whole.
func TestJournalIsMended(t *testing.T) {
	b := openBank(t, testcluster.Options{})
	b.bulk(20, 50)
	for what, damage := range map[string]func(path string) error{
		"gone": os.Remove,
		"damaged": func(path string) error {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content[len(content)/2] ^= 1
			return os.WriteFile(path, content, 0o600)
		},
	} {
		hurt := b.followers()[0]
		b.checkEqual()
		want := wholeStatement(b.ctx(), t, hurt)
		taken, err := b.client.Operator().TakeSnapshot(b.ctx())
		must(t, err)
		must(t, testcluster.Until(b.ctx(), "a snapshot of all of it", func(context.Context) error { return hasSnapshot(hurt, taken) }))
		must(t, hurt.Kill())
		segments, err := filepath.Glob(filepath.Join(hurt.DataDir(), "journal", "*.journal"))
		if err != nil || len(segments) == 0 {
			t.Fatalf("no segments: %v", err)
		}
		must(t, damage(segments[0]))
		must(t, b.cluster.Isolate(hurt))
		must(t, hurt.Start())
		must(t, hurt.WaitAnswers(b.ctx()))
		b.says(hurt, "entries of the journal that belong to the snapshot are not on this disk")
		_, err = statement(b.ctx(), hurt)
		if s := status.Convert(err); s.Code() != codes.Unavailable || !strings.Contains(s.Message(), "of the journal are on their way") {
			t.Fatalf("%s: a statement of which entries are missing: %v", what, err)
		}
		must(t, b.cluster.Heal())
		b.credit(8)
		b.checkEqual()
		must(t, testcluster.Until(b.ctx(), "the journal is whole", func(ctx context.Context) error {
			got, err := statement(ctx, hurt)
			if err == nil && len(got) < len(want) {
				err = fmt.Errorf("a statement of %d entries without an error, want %d", len(got), len(want))
			}
			return err
		}))
		if got := wholeStatement(b.ctx(), t, hurt); !strings.HasSuffix(strings.Join(got, " "), strings.Join(want, " ")) {
			t.Fatalf("%s: mended, the statement is\n%v\nwant it to end with\n%v", what, got, want)
		}
		for _, pattern := range []string{"*.damaged", "*.fill"} {
			if left, err := filepath.Glob(filepath.Join(hurt.DataDir(), "journal", pattern)); err != nil || len(left) > 0 {
				t.Errorf("%s: left behind: %q, %v", what, left, err)
			}
		}
		b.check()
	}
}

// hasSnapshot: the one of a mark.
func hasSnapshot(m *testcluster.Member, mark uint64) error {
	manifests, err := filepath.Glob(filepath.Join(m.DataDir(), "snapshots", fmt.Sprintf("%016x-*.manifest", mark)))
	if err == nil && len(manifests) == 0 {
		err = fmt.Errorf("no manifest of mark %d", mark)
	}
	return err
}

func wholeStatement(ctx context.Context, t *testing.T, m *testcluster.Member) []string {
	t.Helper()
	entries, err := statement(ctx, m)
	must(t, err)
	return entries
}

// statement is what one member has of an account's entries.
func statement(ctx context.Context, m *testcluster.Member) (entries []string, err error) {
	connection, err := grpc.NewClient(m.ClientAddress, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, connection.Close()) }()
	money := ballastv1.NewMoneyServiceClient(connection)
	r := &ballastv1.GetStatementRequest{Account: "account-0", PageSize: 100, Consistency: ballastv1.Consistency_CONSISTENCY_STALE}
	for {
		page, err := money.GetStatement(ctx, r)
		if err != nil {
			return entries, err
		}
		for _, e := range page.GetEntries() {
			entries = append(entries, fmt.Sprint(e.GetSequence(), ":", e.GetOperationId()))
		}
		if r.BeforeSequence = page.GetNextBeforeSequence(); r.BeforeSequence == 0 {
			return entries, nil
		}
	}
}
