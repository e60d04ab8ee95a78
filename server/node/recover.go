package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"github.com/ballastdb/ballast/census"
	"github.com/ballastdb/ballast/config"
	"github.com/ballastdb/ballast/datadir"
	"github.com/ballastdb/ballast/internal/tlsauth"
	"github.com/ballastdb/ballast/internal/vfs"
	"github.com/ballastdb/ballast/snapshots"
)

// RecoverOptions of a recovery.
type RecoverOptions struct {
	// Config is that of the survivor, TLS its certificates, as to run it.
	Config config.Config
	TLS    *tlsauth.Store
	// Compare are data directories of other stopped members of the cluster.
	Compare []string
	Logger  hclog.Logger

	// cut is called before and after each durable step, and ends the recovery there with an error, as a crash would; nil: nothing.
	cut func(step string, after bool) error
}

// Recovery is a recovery from a lost majority that may be done: nothing in its way was found.
type Recovery struct {
	// Survivor is who goes on, with everything on its disk.
	*Survivor
	// Compared are the others that were looked at; none has anything that the survivor lacks.
	Compared []*Survivor

	options RecoverOptions
}

// PlanRecovery looks whether the member whose data directory Config names may go on alone: it is stopped, sound, of its own
// configuration, no other member answers, and none that is compared has more. Nothing is changed. docs/runbooks/quorum-lost.md tells when.
func PlanRecovery(ctx context.Context, o RecoverOptions) (*Recovery, error) {
	s, err := Survey(o.Config.DataDir, o.Logger)
	if err != nil {
		return nil, err
	}
	if err := s.fit(); err != nil {
		return nil, err
	}
	r := &Recovery{Survivor: s, options: o}
	for _, dir := range o.Compare {
		other, err := Survey(dir, o.Logger)
		if err != nil {
			return nil, fmt.Errorf("compare with %s: %w", dir, err)
		}
		if err := s.compare(other); err != nil {
			return nil, err
		}
		r.Compared = append(r.Compared, other)
	}
	if o.TLS != nil {
		if err := CheckIdentity(o.TLS, s.Identity); err != nil {
			return nil, err
		}
	}
	return r, r.nobodyAnswers(ctx)
}

// fit says why a disk is not one to go on with.
func (s *Survivor) fit() error {
	switch {
	case s.Condemned != nil:
		return fmt.Errorf("%s: the state of this member was found wrong (%s): recover another one", s.Dir, s.Condemned.Reason)
	case len(s.Damage) > 0:
		return fmt.Errorf("%s: %s is damaged (%s): recover another member, whose disk is sound (ballastd snapshot verify shows all of it)",
			s.Dir, s.Damage[0].File, s.Damage[0].What)
	case s.Index == 0:
		return fmt.Errorf("%s: this member has no data at all: nothing can be recovered from it", s.Dir)
	}
	for _, m := range s.Members {
		if m.ID == s.id() {
			return nil
		}
	}
	return fmt.Errorf("%s: expected %s to be a member in its own latest configuration, found %v: it was removed, so recover another one", s.Dir, s.id(), s.Members)
}

// compare says why another disk is in the way: it is of another history, or it has more. One that is not fit is in nobody's way.
func (s *Survivor) compare(other *Survivor) error {
	switch {
	case other.fit() != nil:
		return fmt.Errorf("it cannot be compared, leave it out: %w", other.fit())
	case other.Identity.ClusterID != s.Identity.ClusterID:
		return fmt.Errorf("%s: expected a member of cluster %s, found one of %s", other.Dir, s.Identity.ClusterID, other.Identity.ClusterID)
	case other.Identity.RecoveryEpoch != s.Identity.RecoveryEpoch:
		return fmt.Errorf("%s: expected a member of recovery epoch %d, found one of %d: it was left behind, or has been recovered itself",
			other.Dir, s.Identity.RecoveryEpoch, other.Identity.RecoveryEpoch)
	case other.Beyond(s):
		return fmt.Errorf("%s of member %s goes to index %d of term %d, and %s only to index %d of term %d: recover that member instead, nothing is lost by it that is not lost by this one",
			other.Dir, other.Identity.Name, other.Index, other.Term, s.Dir, s.Index, s.Term)
	}
	return nil
}

// nobodyAnswers refuses where another member runs: then either the majority is not lost, or that one must be stopped and compared.
func (r *Recovery) nobodyAnswers(ctx context.Context) error {
	n := newNode(Options{Config: r.options.Config, TLS: r.options.TLS, Logger: r.options.Logger})
	n.identity, n.id = memberIdentity(r.Identity), r.id()
	n.security = &security{store: r.options.TLS}
	members, err := n.callers()
	if err != nil {
		return err
	}
	var addresses []raft.ServerAddress
	for _, m := range r.Members {
		if m.ID != r.id() {
			addresses = append(addresses, m.Address)
		}
	}
	answers := askAll(ctx, members, census.Self{ID: string(r.id()), Epoch: n.identity.Epoch}, n.identity, addresses)
	if err := joinClose(ctx.Err(), members); err != nil {
		return err
	}
	for _, a := range answers {
		if a.ID != string(r.id()) {
			return fmt.Errorf("%s answers: it is not lost, and a member that runs beside a recovered one keeps another truth; "+
				"if a majority can run, start it (nothing is lost); if not, stop %s, and compare its disk with this one (--compare)", nameOf(a.ID), nameOf(a.ID))
		}
	}
	return nil
}

// Phrase must be given to go on: it says what is given up.
func (r *Recovery) Phrase() string {
	return fmt.Sprintf("give up every member but %s and every change after index %d", r.Identity.Name, r.Index)
}

// ErrPhrase is the error of a recovery whose phrase was not given exactly.
var ErrPhrase = errors.New("not the phrase that this recovery needs")

// Do makes the survivor the only member of its cluster, in a new recovery epoch, with all that its log has. It returns the epoch.
//
// What there was is kept aside. Then the epoch is minted, and only then is the configuration of one member appended to the log: at no
// moment is there a member of the old epoch that would lead alone, and a recovery that was cut short is done again.
func (r *Recovery) Do(phrase string) (epoch uint64, err error) {
	if phrase != r.Phrase() {
		return 0, ErrPhrase
	}
	d, err := datadir.Look(r.Dir)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	if epoch, err = nextEpoch(d.Identity().RecoveryEpoch); err != nil {
		return 0, err
	}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"keep what there is aside", func() error { return d.KeepAside(epoch) }},
		{"mint the recovery epoch", func() error { return d.SetEpoch(epoch) }},
		{"append the configuration of one member", func() error { return r.append(d) }},
	} {
		if err := r.cut(step.name, false); err != nil {
			return 0, err
		}
		if err := step.do(); err != nil {
			return 0, fmt.Errorf("%s: %w; mend the cause and run the recovery again", step.name, err)
		}
		if err := r.cut(step.name, true); err != nil {
			return 0, err
		}
	}
	return epoch, nil
}

func (r *Recovery) cut(step string, after bool) error {
	if r.options.cut == nil {
		return nil
	}
	return r.options.cut(step, after)
}

// append appends the configuration in which the survivor is alone, behind everything that it has. Raft takes the latest configuration that
// its log holds, committed or not: the survivor elects itself and commits the rest of the log with it.
func (r *Recovery) append(d *datadir.Dir) (err error) {
	log, err := openStopped(d, r.options.Logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	store, err := snapshots.Open(vfs.OS{}, d.Snapshots())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	of := snapshots.NewRaftStore(snapshots.RaftConfig{Store: store})
	if err := reconcile(log, of, r.options.Logger); err != nil {
		return err
	}
	now := &Survivor{Identity: r.Identity}
	if err := now.read(log, of); err != nil {
		return err
	}
	var alone raft.Configuration
	for _, m := range now.Members {
		if m.ID == r.id() {
			m.Suffrage = raft.Voter
			alone.Servers = append(alone.Servers, m)
		}
	}
	return log.StoreLog(&raft.Log{
		Index: now.Index + 1, Term: max(now.CurrentTerm, now.Term), Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(alone), AppendedAt: time.Now(),
	})
}

// nextEpoch is one that is above all that came before it, and that no other recovery from the same epoch makes, on another member by
// mistake: the upper half counts, the lower is random.
func nextEpoch(epoch uint64) (uint64, error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return 0, err
	}
	return (epoch>>32+1)<<32 | uint64(binary.BigEndian.Uint32(random[:])), nil
}

// Lost are the members that are given up, in words.
func (r *Recovery) Lost() string {
	var names []string
	for _, m := range r.Members {
		if m.ID != r.id() {
			names = append(names, fmt.Sprintf("%s (%s)", m.ID, m.Address))
		}
	}
	if len(names) == 0 {
		return "none: it is alone already"
	}
	return strings.Join(names, ", ")
}
