// Package lab tries what an operator has, on hosts: the Debian package, the service unit and docs/deployment.md, on three
// machines with systemd as PID 1 that this one pretends to be. README.md says how, what it needs and what it leaves alone.
//
// All of it is behind the build tag lab: `make test-lab`.
package lab
