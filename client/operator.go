package client

import (
	"context"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// Operator looks at and changes the cluster itself. Get it with Client.Operator.
type Operator struct{ c *Client }

// Operator returns the operator calls of this client.
func (c *Client) Operator() *Operator { return &Operator{c: c} }

// Status asks the member at one endpoint, a client or an operator address, how it sees itself and the cluster. It asks
// once.
func (o *Operator) Status(ctx context.Context, endpoint string) (*ballastv1.StatusResponse, error) {
	var answer *ballastv1.StatusResponse
	err := o.at(ctx, endpoint, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.Status(ctx, &ballastv1.StatusRequest{})
		return err
	})
	return answer, err
}

// MemberStatus is what came of asking one member.
type MemberStatus struct {
	// Endpoint that was asked.
	Endpoint string
	// Status is its answer; nil where there is none.
	Status *ballastv1.StatusResponse
	// Err says why there is none.
	Err error
	// Asked is when, by this machine's clock; Took how long it was until it answered, a connection made for that included.
	Asked time.Time
	Took  time.Duration
}

// StatusOfAll asks every endpoint that the client knows, and the members that their answers name beyond those, all at
// once. Each is asked once; one that does not answer costs the others nothing. In order of asking.
func (o *Operator) StatusOfAll(ctx context.Context) []MemberStatus {
	ctx, cancel := context.WithDeadline(ctx, o.c.deadline(ctx))
	defer cancel()
	// Members that only others' answers name are asked in a second round: leave it half of the time.
	firstCtx, cancelFirst := context.WithTimeout(ctx, remaining(ctx)/2)
	defer cancelFirst()
	asked := o.statusOf(firstCtx, o.c.directory.all())
	return append(asked, o.statusOf(ctx, unasked(asked))...)
}

func remaining(ctx context.Context) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Until(deadline)
}

// unasked lists client addresses of members that no asked endpoint turned out to be.
func unasked(asked []MemberStatus) []string {
	seen := make(map[string]bool) // names of members that answered, and endpoints
	for _, m := range asked {
		seen[m.Endpoint] = true
		if m.Status != nil {
			seen[m.Status.GetId()] = true
		}
	}
	var more []string
	for _, m := range asked {
		for _, member := range m.Status.GetMembers() {
			address := member.GetClientAddress()
			if address == "" || seen[address] || seen[member.GetId()] || len(more) == maxEndpoints {
				continue
			}
			seen[address] = true
			more = append(more, address)
		}
	}
	return more
}

func (o *Operator) statusOf(ctx context.Context, endpoints []string) []MemberStatus {
	answers := make([]MemberStatus, len(endpoints))
	var wg sync.WaitGroup
	for i, endpoint := range endpoints {
		wg.Go(func() {
			asked := time.Now()
			status, err := o.Status(ctx, endpoint)
			answers[i] = MemberStatus{Endpoint: endpoint, Status: status, Err: err, Asked: asked, Took: time.Since(asked)}
		})
	}
	wg.Wait()
	return answers
}

// Bootstrap makes the member at endpoint the first of a new cluster. It is asked once, whatever comes of it.
func (o *Operator) Bootstrap(ctx context.Context, endpoint string) error {
	return o.at(ctx, endpoint, func(ctx context.Context, l *link) error {
		_, err := l.operator.Bootstrap(ctx, &ballastv1.BootstrapRequest{})
		return err
	})
}

// AddMember adds a member as a non-voter and announces its addresses; repeating it is harmless. It returns the log index
// of the change.
func (o *Operator) AddMember(ctx context.Context, member *ballastv1.AddMemberRequest) (uint64, error) {
	var answer *ballastv1.AddMemberResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.AddMember(ctx, member)
		return err
	})
	return answer.GetIndex(), err
}

// PromoteMember makes a non-voter a voter, which is refused while it is not caught up and, without atOnce, has not been for a
// while. It returns the log index of the change.
func (o *Operator) PromoteMember(ctx context.Context, name string, atOnce bool) (uint64, error) {
	var answer *ballastv1.PromoteMemberResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.PromoteMember(ctx, &ballastv1.PromoteMemberRequest{Name: name, AtOnce: atOnce})
		return err
	})
	return answer.GetIndex(), err
}

// RemoveMember removes a member for ever, with force also where too few healthy voters would remain. It returns the log
// index of the change.
func (o *Operator) RemoveMember(ctx context.Context, name string, force bool) (uint64, error) {
	var answer *ballastv1.RemoveMemberResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.RemoveMember(ctx, &ballastv1.RemoveMemberRequest{Name: name, Force: force})
		return err
	})
	return answer.GetIndex(), err
}

// TransferLeadership hands leadership to the named voter, or to the one that is furthest where name is empty, and
// returns the new leader's name.
func (o *Operator) TransferLeadership(ctx context.Context, name string) (string, error) {
	var answer *ballastv1.TransferLeadershipResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.TransferLeadership(ctx, &ballastv1.TransferLeadershipRequest{Name: name})
		return err
	})
	return answer.GetName(), err
}

// RaiseClusterVersion raises the cluster version, for ever, and returns the one in force before and after. 0 wants the newest that
// every member's program applies. Raising it to what it is is harmless.
func (o *Operator) RaiseClusterVersion(ctx context.Context, version uint32) (before, after uint32, err error) {
	var answer *ballastv1.RaiseClusterVersionResponse
	err = o.c.repeat(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.RaiseClusterVersion(ctx, &ballastv1.RaiseClusterVersionRequest{Version: version})
		return err
	})
	return answer.GetBefore(), answer.GetVersion(), err
}

// Settings reads the replicated settings.
func (o *Operator) Settings(ctx context.Context) (*ballastv1.Settings, error) {
	var answer *ballastv1.GetSettingsResponse
	err := o.c.read(ctx, false, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.GetSettings(ctx, &ballastv1.GetSettingsRequest{})
		return err
	})
	return answer.GetSettings(), err
}

// SetSettings changes the settings that are present, together, and returns all as they are then. Setting the same again
// is harmless.
func (o *Operator) SetSettings(ctx context.Context, settings *ballastv1.Settings) (*ballastv1.Settings, error) {
	var answer *ballastv1.SetSettingsResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.SetSettings(ctx, &ballastv1.SetSettingsRequest{Settings: settings})
		return err
	})
	return answer.GetSettings(), err
}

// SettingsHistory reads the newest changes of settings, newest first.
func (o *Operator) SettingsHistory(ctx context.Context) ([]*ballastv1.SettingChange, error) {
	var answer *ballastv1.GetSettingsHistoryResponse
	err := o.c.read(ctx, false, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.GetSettingsHistory(ctx, &ballastv1.GetSettingsHistoryRequest{})
		return err
	})
	return answer.GetChanges(), err
}

// TakeSnapshot has every member take a snapshot at one point of the log, and tells its index once the leader has it, which for a
// large state takes minutes: it waits until ctx's deadline. Where it ends before, the snapshot goes on being written. Taking
// one more is harmless.
func (o *Operator) TakeSnapshot(ctx context.Context) (index uint64, err error) {
	mark, err := o.MarkSnapshot(ctx)
	if err != nil {
		return 0, err
	}
	return o.AwaitSnapshot(ctx, mark)
}

// MarkSnapshot has every member take a snapshot at the point of the log whose index it returns, without waiting for it.
func (o *Operator) MarkSnapshot(ctx context.Context) (index uint64, err error) {
	// A mark too many is a snapshot too many, and often not even that.
	return o.takeSnapshot(ctx, &ballastv1.TakeSnapshotRequest{AtOnce: true})
}

// AwaitSnapshot waits until the leader has a snapshot of the index or of a later one, and returns whose. Where none is being written,
// because the leader has changed or was busy at the mark, one is taken. It may be repeated, and takes no more snapshots for that.
func (o *Operator) AwaitSnapshot(ctx context.Context, index uint64) (uint64, error) {
	return o.takeSnapshot(ctx, &ballastv1.TakeSnapshotRequest{NotBefore: index})
}

func (o *Operator) takeSnapshot(ctx context.Context, request *ballastv1.TakeSnapshotRequest) (uint64, error) {
	var answer *ballastv1.TakeSnapshotResponse
	err := o.c.await(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.TakeSnapshot(ctx, request)
		return err
	})
	return answer.GetIndex(), err
}

// MendClock has log time step forward to the median of the voters' clocks, where it is that far behind. It is refused where
// it is not, so repeating it is harmless.
func (o *Operator) MendClock(ctx context.Context, forward time.Duration) (time.Duration, error) {
	var answer *ballastv1.MendClockResponse
	err := o.c.change(ctx, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.MendClock(ctx, &ballastv1.MendClockRequest{Forward: durationpb.New(forward)})
		return err
	})
	return answer.GetForward().AsDuration(), err
}

// Audit reads what operators did at the member at endpoint, newest first, at most limit actions.
func (o *Operator) Audit(ctx context.Context, endpoint string, limit int) ([]*ballastv1.AuditEntry, error) {
	var answer *ballastv1.GetAuditResponse
	err := o.at(ctx, endpoint, func(ctx context.Context, l *link) (err error) {
		answer, err = l.operator.GetAudit(ctx, &ballastv1.GetAuditRequest{Limit: uint32(limit)}) //nolint:gosec // the member refuses what is too large
		return err
	})
	return answer.GetEntries(), err
}

// LeaderStatus asks the member that is thought to lead how it sees itself and the cluster.
func (o *Operator) LeaderStatus(ctx context.Context) (*ballastv1.StatusResponse, error) {
	return o.Status(ctx, o.c.directory.leader())
}

// at asks the member at one endpoint, once.
func (o *Operator) at(ctx context.Context, endpoint string, ask asker) error {
	l, err := o.c.links.get(endpoint)
	if err != nil {
		return failureHere(endpoint, err).asError()
	}
	ctx, cancel := context.WithDeadline(ctx, o.c.deadline(ctx))
	defer cancel()
	if err := ask(ctx, l); err != nil {
		return failureOf(endpoint, err).asError()
	}
	return nil
}
