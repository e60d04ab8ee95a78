// Package grpctext puts what gRPC says of connections and codes into words for people.
package grpctext

import (
	"regexp"

	"google.golang.org/grpc/status"
)

var (
	// dialing is how gRPC wraps what kept it from connecting.
	dialing = regexp.MustCompile(`(?:last )?connection error: desc = "(?:transport: )?(?:Error while dialing: |error while dialing: )?(.*?)"`)
	// awaited is how it says that a connection was not there in time.
	awaited = regexp.MustCompile(`(?:received context error )?while waiting for (?:new LB policy update|connections to become ready)`)
	// nested is a status inside a status' text.
	nested = regexp.MustCompile(`rpc error: code = \w+ desc = `)
)

// Plain is a status' message without gRPC's own words.
func Plain(message string) string {
	text := dialing.ReplaceAllString(message, "cannot connect: $1")
	return awaited.ReplaceAllString(nested.ReplaceAllString(text, ""), "no connection")
}

// Of is the same of an error, whatever it wraps.
func Of(err error) string { return Plain(status.Convert(err).Message()) }
