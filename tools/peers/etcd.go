package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/ballastdb/ballast/internal/childproc"
	"github.com/ballastdb/ballast/internal/devtools/compare"
	"github.com/ballastdb/ballast/internal/workload"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// etcdPeer is an etcd cluster of three members.
type etcdPeer struct {
	processes
	program, version string
	endpoints        []string
	leader           string // endpoint
	clients          []*clientv3.Client
}

// Name of the peer.
func (*etcdPeer) Name() string { return "etcd" }

const (
	// etcdClients spread the callers over connections: one alone would be the limit.
	etcdClients = 8
	// etcdTxnOps is how many operations a transaction may have, for filling it.
	etcdTxnOps = 1024
	// etcdTries bounds how often a compare-and-swap is tried.
	etcdTries = 100
)

// Start starts three members and waits until they have a leader and agree on it.
func (p *etcdPeer) Start(ctx context.Context, env compare.Env) (err error) {
	if p.program, err = find("etcd", ".cache/etcd/etcd", "../../.cache/etcd/etcd"); err != nil {
		return err
	}
	output, err := exec.CommandContext(ctx, p.program, "--version").Output()
	if err != nil {
		return fmt.Errorf("etcd --version: %w", err)
	}
	first, _, _ := bytes.Cut(output, []byte("\n"))
	p.version = string(first)
	found, err := ports(2 * members)
	if err != nil {
		return err
	}
	var peers []string
	for i := range members {
		p.endpoints = append(p.endpoints, fmt.Sprintf("http://127.0.0.1:%d", found[i]))
		peers = append(peers, fmt.Sprintf("node-%d=http://127.0.0.1:%d", i+1, found[members+i]))
	}
	for i := range members {
		name, peer, _ := strings.Cut(peers[i], "=")
		args := []string{
			"--name", name, "--data-dir", filepath.Join(env.Dir, name),
			"--listen-client-urls", p.endpoints[i], "--advertise-client-urls", p.endpoints[i],
			"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
			"--initial-cluster", strings.Join(peers, ","), "--initial-cluster-state", "new",
			"--quota-backend-bytes", strconv.Itoa(8 << 30), "--max-txn-ops", strconv.Itoa(etcdTxnOps), "--log-level", "error",
		}
		if err := p.start(childproc.Spec{Path: p.program, Args: args, LogFile: filepath.Join(env.Dir, name+".log")}); err != nil {
			return err
		}
	}
	for range etcdClients {
		c, err := clientv3.New(clientv3.Config{Endpoints: p.endpoints, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		p.clients = append(p.clients, c)
	}
	if err := p.await(ctx, "etcd's members", p.Verify); err != nil {
		return err
	}
	// Writes are forwarded to the leader by the others: asking it is the fastest.
	for _, c := range p.clients {
		c.SetEndpoints(p.leader)
	}
	return nil
}

// Settings that matter.
func (p *etcdPeer) Settings() []string {
	return []string{
		p.version + ", three members, every one of them fsyncs its log as by default; callers ask the leader over 8 connections",
		"quota-backend-bytes 8 GiB, max-txn-ops 1024 (for filling it); all else as by default",
		"etcd-put: a put of each balance, in a transaction where there are two; no check, no idempotency",
		"etcd-cas: reads the balances, then a transaction that compares their revisions and that the id is new; tried again where it is not so",
		"linearizable reads as by default, stale ones are serializable reads",
	}
}

// Verify wants three members that answer and name one leader.
func (p *etcdPeer) Verify(ctx context.Context) error {
	if err := p.alive(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	leaders := map[uint64]bool{}
	for _, endpoint := range p.endpoints {
		status, err := p.clients[0].Status(ctx, endpoint)
		if err != nil {
			return fmt.Errorf("status of %s: %w", endpoint, err)
		}
		if status.Leader == 0 || len(status.Errors) > 0 {
			return fmt.Errorf("%s: leader %x, errors %q; expected a leader and none", endpoint, status.Leader, status.Errors)
		}
		leaders[status.Leader] = true
		if status.Header.MemberId == status.Leader {
			p.leader = endpoint
		}
	}
	list, err := p.clients[0].MemberList(ctx)
	if err != nil {
		return err
	}
	if len(leaders) != 1 || len(list.Members) != members {
		return fmt.Errorf("%d leaders, %d members; expected 1 and %d", len(leaders), len(list.Members), members)
	}
	return nil
}

// Prepare gives every account a balance of 0.
func (p *etcdPeer) Prepare(ctx context.Context, accounts int) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for first := 0; first < accounts; first += etcdTxnOps {
		group.Go(func() error {
			var puts []clientv3.Op
			for i := first; i < min(first+etcdTxnOps, accounts); i++ {
				puts = append(puts, clientv3.OpPut(workload.AccountID(i), "0"))
			}
			_, err := p.clients[first/etcdTxnOps%etcdClients].Txn(ctx).Then(puts...).Commit()
			return err
		})
	}
	return group.Wait()
}

// Targets are a blind put and a compare-and-swap.
func (p *etcdPeer) Targets() []compare.Target {
	return []compare.Target{
		{Name: compare.EtcdPut, Promise: "no check, no idempotency; on the disks of two of three", Target: etcdPut{p}},
		{Name: compare.EtcdCAS, Promise: "idempotent, with a floor; on the disks of two of three", Target: etcdCAS{etcdPut{p}}},
	}
}

// Stop ends the processes.
func (p *etcdPeer) Stop() error {
	var errs []error
	for _, c := range p.clients {
		errs = append(errs, c.Close())
	}
	return errors.Join(append(errs, p.stop())...)
}

// client for a change, the same for the same account.
func (p *etcdPeer) client(account string) *clientv3.Client {
	return p.clients[int(account[len(account)-1])%len(p.clients)]
}

// etcdPut writes balances without looking.
type etcdPut struct{ p *etcdPeer }

// Submit writes one operation after the other: etcd has no batches of independent changes.
func (t etcdPut) Submit(ctx context.Context, ops []*ballastv1.Operation) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, op := range ops {
		c, err := changeOf(op)
		if err != nil {
			return 0, err
		}
		value := strconv.FormatInt(c.amount, 10)
		var puts []clientv3.Op
		for _, account := range []string{c.from, c.to} {
			if account != "" {
				puts = append(puts, clientv3.OpPut(account, value))
			}
		}
		client := t.p.client(c.from + c.to)
		if len(puts) == 1 {
			_, err = client.Do(ctx, puts[0])
		} else {
			_, err = client.Txn(ctx).Then(puts...).Commit()
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// Read reads balances one by one.
func (t etcdPut) Read(ctx context.Context, accounts []string, stale bool) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var options []clientv3.OpOption
	if stale {
		options = append(options, clientv3.WithSerializable())
	}
	for _, account := range accounts {
		answer, err := t.p.client(account).Get(ctx, account, options...)
		if err != nil {
			return err
		}
		if len(answer.Kvs) != 1 {
			return fmt.Errorf("account %s: %d values, expected 1", account, len(answer.Kvs))
		}
	}
	return nil
}

// etcdCAS changes balances at most once an id.
type etcdCAS struct{ etcdPut }

// Submit does one operation after the other.
func (t etcdCAS) Submit(ctx context.Context, ops []*ballastv1.Operation) (refused int, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for _, op := range ops {
		c, err := changeOf(op)
		if err != nil {
			return refused, err
		}
		done, err := t.change(ctx, c)
		if err != nil {
			return refused, err
		}
		if !done {
			refused++
		}
	}
	return refused, nil
}

// change reads the balances and swaps them where they are still the same and the id is new.
func (t etcdCAS) change(ctx context.Context, c change) (done bool, err error) {
	client := t.p.client(c.from + c.to)
	var gets []clientv3.Op
	var accounts []string
	for _, account := range []string{c.from, c.to} {
		if account != "" {
			accounts = append(accounts, account)
			gets = append(gets, clientv3.OpGet(account))
		}
	}
	seen, err := client.Txn(ctx).Then(gets...).Commit()
	if err != nil {
		return false, err
	}
	id := "id/" + c.id
	for range etcdTries {
		compares := []clientv3.Cmp{clientv3.Compare(clientv3.CreateRevision(id), "=", 0)}
		puts := []clientv3.Op{clientv3.OpPut(id, "done")}
		for i, account := range accounts {
			balance, revision := balanceOf(seen, i)
			if account == c.from {
				if balance -= c.amount; balance < lowest {
					return false, nil
				}
			} else {
				balance += c.amount
			}
			compares = append(compares, clientv3.Compare(clientv3.ModRevision(account), "=", revision))
			puts = append(puts, clientv3.OpPut(account, strconv.FormatInt(balance, 10)))
		}
		// Where it fails, the answer has what there is now, so that the next try needs no reading.
		if seen, err = client.Txn(ctx).If(compares...).Then(puts...).Else(gets...).Commit(); err != nil || seen.Succeeded {
			return err == nil, err
		}
	}
	return false, fmt.Errorf("%d tries to swap %v met another change each", etcdTries, accounts)
}

// balanceOf takes balance and revision out of the answer's i-th get; 0 and 0 where there is no such account.
func balanceOf(answer *clientv3.TxnResponse, i int) (balance, revision int64) {
	kvs := answer.Responses[i].GetResponseRange().GetKvs()
	if len(kvs) == 0 {
		return 0, 0
	}
	balance, _ = strconv.ParseInt(string(kvs[0].GetValue()), 10, 64) // written by us
	return balance, kvs[0].GetModRevision()
}
