package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/doctor"
	"github.com/ballastdb/ballast/internal/pki"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

const (
	// lookTimeout bounds the question for the members' statuses, examineTimeout one member's look at itself.
	lookTimeout    = 5 * time.Second
	examineTimeout = 8 * time.Second
)

// evidence asks every member how it is, and has those that answer look at themselves.
func (a *app) evidence(ctx context.Context, c *client.Client) (*doctor.Evidence, error) {
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	return a.evidenceOf(ctx, c, viewStatus(c.Operator().StatusOfAll(look)))
}

func (a *app) evidenceOf(ctx context.Context, c *client.Client, view *statusView) (*doctor.Evidence, error) {
	own, err := a.ownCertificate()
	if err != nil {
		return nil, err
	}
	e := &doctor.Evidence{
		At: time.Now(), Leader: view.Leader, Own: own,
		DigestsDiffer: view.DigestsEqual != nil && !*view.DigestsEqual, DigestIndex: view.DigestIndex,
	}
	refused := make([]error, len(view.Members))
	var all sync.WaitGroup
	for i, m := range view.Members {
		member := &doctor.Member{
			Name: m.Name, Listed: m.Role != "unknown", Voter: m.voter, Status: m.status, Err: m.Error, Asked: m.asked.Asked, Took: m.asked.Took,
		}
		e.Members = append(e.Members, member)
		if m.status == nil {
			continue
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, examineTimeout)
			defer cancel()
			answer, err := c.Operator().Examine(ctx, m.asked.Endpoint)
			switch {
			case err == nil:
				member.Examination = answer
			case roleRefused(err):
				refused[i] = err
			default:
				member.ExamineErr = examineError(err)
			}
		})
	}
	all.Wait()
	return e, errors.Join(refused...)
}

func examineError(err error) string {
	var s *client.StatusError
	if errors.As(err, &s) && s.Code == codes.Unimplemented {
		return "its program is older than this command"
	}
	return inWords(err)
}

// ownCertificate is the one that this command calls with; nil: there is no TLS.
func (a *app) ownCertificate() (*ballastv1.Certificate, error) {
	if a.cert == "" {
		return nil, nil
	}
	text, err := pki.ReadFile(a.cert)
	if err != nil {
		return nil, err
	}
	list, err := pki.ParseCertificates(text)
	if err != nil || len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", a.cert, err)
	}
	view := viewCertificate(a.cert, list[0], time.Now())
	return &ballastv1.Certificate{Identity: view.Identity, NotBefore: view.NotBefore.UnixNano(), NotAfter: view.NotAfter.UnixNano(), Serial: view.Serial}, nil
}
