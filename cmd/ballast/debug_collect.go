package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/ballastdb/ballast/client"
	"github.com/ballastdb/ballast/internal/doctor"
	"github.com/ballastdb/ballast/internal/render"
	"github.com/ballastdb/ballast/internal/version"
	ballastv1 "github.com/ballastdb/ballast/proto/ballast/v1"
)

// bundleAudit is how many actions of operators are taken of each member.
const bundleAudit = 1000

// memberTimeout bounds what one member is asked for, so that one that hangs leaves time for the others.
const memberTimeout = 20 * time.Second

// collect writes a bundle of all members.
func (a *app) collect(ctx context.Context, c *client.Client, to io.Writer, heap bool) (*bundleView, error) {
	b := newBundle(to, time.Now())
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	view := viewStatus(c.Operator().StatusOfAll(look))
	evidence, err := a.evidenceOf(ctx, c, view)
	if err != nil {
		return nil, err
	}
	for _, part := range []func() error{
		func() error { return b.addJSON("status.json", view) },
		func() error { return a.addDoctor(b, viewDoctor(evidence)) },
		func() error { return addSettings(ctx, c, b) },
	} {
		if err := part(); err != nil {
			return nil, err
		}
	}
	for i, m := range view.Members {
		a.note("collecting from %s", m.Name)
		b.view.Listed++
		before := len(b.view.Missing)
		if err := addMember(ctx, c, b, m, evidence.Members[i], heap); err != nil {
			return nil, err
		}
		if len(b.view.Missing) == before {
			b.view.Members++
		}
	}
	if err := b.add("README.txt", b.readme()); err != nil {
		return nil, err
	}
	for _, what := range b.view.Missing {
		a.note("missing: %s", what)
	}
	return b.view, b.close()
}

func (b *bundle) readme() []byte {
	text := fmt.Sprintf("Debug bundle of a Ballast cluster, made %s by ballast %s.\n", b.at.UTC().Format(time.RFC3339), version.String())
	text += "docs/debug-bundle.md says what is in it, and what is not: no keys, and nothing of accounts.\n"
	if len(b.view.Missing) > 0 {
		text += "\nMissing:\n  " + strings.Join(b.view.Missing, "\n  ") + "\n"
	}
	return []byte(text)
}

func (b *bundle) addJSON(name string, value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(value); err != nil {
		return err
	}
	return b.add(name, text.Bytes())
}

func (b *bundle) addProto(name string, message proto.Message) error {
	return b.add(name, []byte(protojson.MarshalOptions{Multiline: true}.Format(message)+"\n"))
}

// addDoctor adds the findings, for people and for programs.
func (a *app) addDoctor(b *bundle, v *doctorView) error {
	var text bytes.Buffer
	v.text(&app{stdio: stdio{out: &text, err: a.err}, format: render.Table})
	if err := b.add("doctor.txt", text.Bytes()); err != nil {
		return err
	}
	return b.addJSON("doctor.json", v)
}

// addSettings adds the replicated settings with their history, which only a leader tells.
func addSettings(ctx context.Context, c *client.Client, b *bundle) error {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	settings, err := c.Operator().Settings(ctx)
	if err != nil {
		b.missing("settings: %s", inWords(err))
		return nil
	}
	if err := b.addProto("settings.json", settings); err != nil {
		return err
	}
	changes, err := c.Operator().SettingsHistory(ctx)
	if err != nil {
		b.missing("settings' history: %s", inWords(err))
		return nil
	}
	return b.addProto("settings-history.json", &ballastv1.GetSettingsHistoryResponse{Changes: changes})
}

// addMember adds what one member has. What it does not give is noted.
func addMember(ctx context.Context, c *client.Client, b *bundle, m *memberView, found *doctor.Member, heap bool) error {
	if m.status == nil {
		b.missing("%s: %s", m.Name, m.Error)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, memberTimeout)
	defer cancel()
	dir := "members/" + m.Name + "/"
	if err := b.addProto(dir+"status.json", m.status); err != nil {
		return err
	}
	if found.Examination == nil {
		b.missing("%s: it did not look at itself: %s", m.Name, found.ExamineErr)
	} else if err := addExamination(b, dir, found.Examination); err != nil {
		return err
	}
	if entries, err := c.Operator().Audit(ctx, m.asked.Endpoint, bundleAudit); err != nil {
		b.missing("%s: audit log: %s", m.Name, inWords(err))
	} else if err := b.addProto(dir+"audit.json", &ballastv1.GetAuditResponse{Entries: entries}); err != nil {
		return err
	}
	var own error // of writing the bundle
	err := c.Operator().CollectDebug(ctx, m.asked.Endpoint, heap, func(p client.DebugPart) error {
		if p.Problem != "" {
			b.missing("%s: %s: %s", m.Name, p.Name, p.Problem)
		}
		own = b.add(dir+fileName(p.Name), p.Data)
		return own
	})
	if own == nil && err != nil {
		b.missing("%s: what it collects: %s", m.Name, inWords(err))
	}
	return own
}

// fileName is the last part of a name that a member gave.
func fileName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

func addExamination(b *bundle, dir string, x *ballastv1.ExamineResponse) error {
	if err := b.addProto(dir+"examination.json", x); err != nil {
		return err
	}
	var text strings.Builder
	for _, v := range x.GetConfiguration() {
		fmt.Fprintf(&text, "%s = %q  # %s\n", v.GetKey(), v.GetValue(), v.GetOrigin())
	}
	return b.add(dir+"configuration.txt", []byte(text.String()))
}
