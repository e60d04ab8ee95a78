package access

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/ballastdb/ballast/internal/tlsauth"
)

// Pages that a member answers by HTTP. One that ends in a slash stands for all below it.
const (
	PageMetrics  = "/metrics"
	PageLive     = "/livez"
	PageReady    = "/readyz"
	PageProfiles = "/debug/pprof/"
)

// Pages is the table of pages, as Rules is that of calls.
func Pages() Table {
	return Table{
		PageMetrics: {Least: tlsauth.Reader, Members: true},
		PageLive:    {Least: tlsauth.Reader, Members: true},
		PageReady:   {Least: tlsauth.Reader, Members: true},
		// Profiles show memory and cost time.
		PageProfiles: {Least: tlsauth.Operator},
	}
}

// CheckPage says why a caller may not look at a page, or nil. caller and refused are what tlsauth.Store.Caller says.
func (g *Guard) CheckPage(path, from string, caller tlsauth.Identity, refused error) error {
	if host, _, err := net.SplitHostPort(from); err == nil {
		from = host
	}
	if refused != nil {
		g.say("a connection was refused", "unknown", from, refused.Error())
		return refused
	}
	for page, rule := range Pages() {
		if path != page && !(strings.HasSuffix(page, "/") && strings.HasPrefix(path, page)) {
			continue
		}
		if rule.Allows(caller.Role) {
			return nil
		}
		err := fmt.Errorf("%s needs the role %s, and this certificate is that of %s: use another certificate", page, rule.Least, caller)
		g.say("a page was refused", fmt.Sprint(caller), from, err.Error())
		return err
	}
	return errors.New("there is no such page")
}
