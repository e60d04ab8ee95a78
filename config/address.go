package config

import (
	"fmt"
	"net"
	"strconv"
)

// checkAddress accepts host:port where port is fixed: the address is told to others.
func checkAddress(v string) error {
	_, port, err := net.SplitHostPort(v)
	if err != nil {
		return fmt.Errorf("expected host:port: %w", err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return fmt.Errorf("expected a port from 1 to 65535, found %q", port)
	}
	return nil
}

// checkHost says what is wrong with the host of an address that checkAddress accepts.
func checkHost(v string, tls bool) error {
	host, _, err := net.SplitHostPort(v)
	if err != nil {
		return err
	}
	ip := net.ParseIP(host)
	switch {
	case host == "localhost" || ip != nil && ip.IsLoopback():
		return nil
	case !tls:
		return fmt.Errorf("without TLS only loopback addresses are served (127.0.0.1, ::1, localhost), found host %q: "+
			"money must not travel in the clear; give tls_ca, tls_certificate and tls_key (ballast certs makes them)", host)
	case host == "" || ip != nil && ip.IsUnspecified():
		return fmt.Errorf("expected the host at which others reach this member, found %q: the address is told to them", host)
	}
	return nil
}
