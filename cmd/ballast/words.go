package main

import (
	"context"
	"errors"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/grpctext"
)

// noSuchService is for a wrong port.
const noSuchService = "it answers, and does not serve this: a client address of a member was expected (to form a cluster, its " +
	"operator address); is this one for its fellow members, or another program's?"

// inWords is an error's text for people: what gRPC says of connections and codes is put into words.
func inWords(err error) string {
	text := err.Error()
	var status *client.StatusError
	if errors.As(err, &status) {
		text = strings.ReplaceAll(text, status.Error(), statusInWords(status))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "no answer in time")
	}
	return text
}

// statusInWords is what a member answered, or what kept it from being asked, without the code's name where the message
// says enough.
func statusInWords(status *client.StatusError) string {
	text := grpctext.Plain(status.Message)
	switch {
	case status.Code == codes.Unimplemented && strings.Contains(text, "unknown service"):
		text = noSuchService
	case status.Code == codes.DeadlineExceeded:
		text = strings.ReplaceAll(text, context.DeadlineExceeded.Error(), "no answer in time")
	case status.Code == codes.Internal || status.Code == codes.Unknown:
		text = "internal error: " + text
	case text == "":
		text = status.Code.String()
	}
	if status.Endpoint == "" {
		return text
	}
	return status.Endpoint + ": " + text
}

// wordedError has a text of its own for an error that says the same in a program's words.
type wordedError struct {
	text string
	err  error
}

func (e wordedError) Error() string { return e.text }

func (e wordedError) Unwrap() error { return e.err }
