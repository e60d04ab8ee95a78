// Package roster keeps the addresses of the members in the replicated state: where clients and operators reach the
// member that raft's configuration lists by its id. Who votes is raft's business, not the roster's.
//
//	record | index 8 | lengths 4 x 2 | id 192 | member address 264 | client address 264 | operator address 264 |
//	       | flags 1 | zero 3 | newest cluster version 4 | zero 16 |
//
// Besides it remembers the newest cluster version that each member's program applies, so that the version is not raised beyond that of a
// member which cannot be asked. Flag bit 0: the member stays a non-voter.
//
// A free record has an id of no bytes and is used again, the lowest first, so that every member has the same pages.
package roster

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ballastdb/ballast/fsm/page"
)

// Bounds of a member, bytes.
const (
	MaxID      = 192
	MaxAddress = 264
	// MaxMembers is how many members there are at most.
	MaxMembers = 128
)

// The record.
const (
	RecordBytes = 1024

	offLengths = 8
	offID      = 16
	offMember  = offID + MaxID
	offClient  = offMember + MaxAddress
	offOperate = offClient + MaxAddress
	offFlags   = offOperate + MaxAddress
	offNewest  = offFlags + 4

	flagStay = 1 << 0
)

// Errors.
var (
	// ErrFull: there are MaxMembers members.
	ErrFull = errors.New("the roster is full")
	// ErrUnknown: there is no such member.
	ErrUnknown = errors.New("no such member in the roster")
	// ErrInvalid: a field is out of its bounds.
	ErrInvalid = errors.New("member is not valid")
)

// Member is a member's raft server id and its addresses, host:port each. Addresses may be empty: not announced.
type Member struct {
	ID, MemberAddress, ClientAddress, OperatorAddress string
	// StayNonVoter: it is wished to be a non-voter; else a leader promotes it by itself.
	StayNonVoter bool
	// NewestVersion is the newest cluster version that its program applies; 0: not told yet.
	NewestVersion uint32
}

// Validate checks the bounds. The error wraps ErrInvalid.
func (m Member) Validate() error {
	if m.ID == "" || len(m.ID) > MaxID {
		return fmt.Errorf("%w: an id of %d bytes, want 1 to %d", ErrInvalid, len(m.ID), MaxID)
	}
	for _, a := range []string{m.MemberAddress, m.ClientAddress, m.OperatorAddress} {
		if len(a) > MaxAddress {
			return fmt.Errorf("%w: an address of %d bytes, want at most %d", ErrInvalid, len(a), MaxAddress)
		}
	}
	return nil
}

// Roster is the table of members.
type Roster struct{ table *page.Table }

// New declares the table in a space, under the id that it has in all stored pages.
func New(space *page.Space, id uint8) *Roster { return &Roster{space.Table(id, RecordBytes)} }

// Put records a member at a log index, or replaces what is recorded under its id.
func (r *Roster) Put(index uint64, m Member) error {
	if err := m.Validate(); err != nil {
		return err
	}
	slot, found := r.find(m.ID)
	if !found {
		slot, found = r.find("") // a free record
	}
	if found {
		if decode(r.table.Get(slot)) == m {
			return nil
		}
		rec := r.table.Begin(slot)
		clear(rec[offLengths:])
		encode(rec, m)
		r.table.End(slot, index)
		return nil
	}
	if r.table.Len() == MaxMembers {
		return fmt.Errorf("%w: %d members", ErrFull, MaxMembers)
	}
	slot, rec := r.table.Append(index)
	encode(rec, m)
	r.table.End(slot, index)
	return nil
}

// Remove frees a member's record.
func (r *Roster) Remove(index uint64, id string) error {
	slot, found := r.find(id)
	if !found || id == "" {
		return fmt.Errorf("%w: %q", ErrUnknown, id)
	}
	clear(r.table.Begin(slot)[offLengths:])
	r.table.End(slot, index)
	return nil
}

// Member is the member of an id.
func (r *Roster) Member(id string) (Member, bool) {
	slot, found := r.find(id)
	if !found || id == "" {
		return Member{}, false
	}
	return decode(r.table.Get(slot)), true
}

// Members are all members, in order of their records.
func (r *Roster) Members() []Member {
	var all []Member
	for slot := range r.table.Len() {
		if m := decode(r.table.Get(slot)); m.ID != "" {
			all = append(all, m)
		}
	}
	return all
}

// Check tells whether the records can be a roster's, after pages were loaded.
func (r *Roster) Check() error {
	if r.table.Len() > MaxMembers {
		return fmt.Errorf("%w: %d records, want at most %d", ErrInvalid, r.table.Len(), MaxMembers)
	}
	for slot := range r.table.Len() {
		rec := r.table.Get(slot)
		for i, most := range []int{MaxID, MaxAddress, MaxAddress, MaxAddress} {
			if n := length(rec, i); n > most {
				return fmt.Errorf("%w: record %d has a field of %d bytes, want at most %d", ErrInvalid, slot, n, most)
			}
		}
		if flags := rec[offFlags]; flags&^flagStay != 0 {
			return fmt.Errorf("%w: record %d has flags %#x, this program knows %#x", ErrInvalid, slot, flags, flagStay)
		}
	}
	return nil
}

func (r *Roster) find(id string) (uint64, bool) {
	for slot := range r.table.Len() {
		rec := r.table.Get(slot)
		if string(rec[offID:offID+length(rec, 0)]) == id {
			return slot, true
		}
	}
	return 0, false
}

func length(rec []byte, field int) int {
	return int(binary.LittleEndian.Uint16(rec[offLengths+2*field:]))
}

func encode(rec []byte, m Member) {
	for i, f := range []struct {
		at   int
		text string
	}{{offID, m.ID}, {offMember, m.MemberAddress}, {offClient, m.ClientAddress}, {offOperate, m.OperatorAddress}} {
		binary.LittleEndian.PutUint16(rec[offLengths+2*i:], uint16(len(f.text)))
		copy(rec[f.at:], f.text)
	}
	if m.StayNonVoter {
		rec[offFlags] = flagStay
	}
	binary.LittleEndian.PutUint32(rec[offNewest:], m.NewestVersion)
}

func decode(rec []byte) Member {
	text := func(field, at int) string { return string(rec[at : at+length(rec, field)]) }
	return Member{
		ID: text(0, offID), MemberAddress: text(1, offMember), ClientAddress: text(2, offClient), OperatorAddress: text(3, offOperate),
		StayNonVoter: rec[offFlags]&flagStay != 0, NewestVersion: binary.LittleEndian.Uint32(rec[offNewest:]),
	}
}
