package main

import (
	"errors"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/render"
)

// operatorError tells a change that the cluster refused from a cluster that cannot be reached: only the latter may pass.
func operatorError(err error) error {
	var status *client.StatusError
	if !errors.As(err, &status) {
		return err
	}
	switch status.Code {
	case codes.FailedPrecondition, codes.AlreadyExists, codes.InvalidArgument, codes.NotFound, codes.PermissionDenied:
		return codeError{code: exitFailed, err: err}
	default:
		return err
	}
}

// membershipView is a member's place in the cluster, in JSON.
type membershipView struct {
	Name string `json:"name"`
	Role string `json:"role"`
}

func (v membershipView) grid() *render.Grid {
	g := &render.Grid{Columns: []render.Column{{Name: "name"}, {Name: "role"}}}
	g.Add(v.Name, v.Role)
	return g
}
