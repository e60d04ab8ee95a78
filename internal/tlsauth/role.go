package tlsauth

import "fmt"

// Role is what the owner of a certificate may do. Reader, Writer and Operator include each other in this order; Member is
// apart: members talk to each other, and are no clients.
type Role int

// Roles.
const (
	// NoRole is nobody's.
	NoRole Role = iota
	// Reader reads balances, statements and the status.
	Reader
	// Writer also moves money and makes accounts.
	Writer
	// Operator also changes the cluster: members, leadership, settings.
	Operator
	// Member is a member of the cluster.
	Member
)

// String is the role's name in certificates.
func (r Role) String() string {
	switch r {
	case Reader:
		return "reader"
	case Writer:
		return "writer"
	case Operator:
		return "operator"
	case Member:
		return "member"
	}
	return "nobody"
}

// ParseRole reads a role's name.
func ParseRole(name string) (Role, error) {
	for _, r := range []Role{Reader, Writer, Operator, Member} {
		if r.String() == name {
			return r, nil
		}
	}
	return NoRole, fmt.Errorf("expected a role: reader, writer, operator or member; found %.40q", name)
}

// Includes tells whether who has this role may do what needs the role least.
func (r Role) Includes(least Role) bool {
	if r == Member || least == Member {
		return r == least
	}
	return least != NoRole && r >= least
}
