// Command protocheck checks the wire: the generated Go is current, buf's lint rules hold, nothing is broken since the
// committed descriptor image, the image has all that the sources have, and it changed only together with the CHANGELOG.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

const (
	image     = "proto/ballast.binpb"
	changelog = "CHANGELOG.md"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Stdout))
}

func run(ctx context.Context, stdout io.Writer) int {
	status := 0
	for _, check := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"lint", lint},
		{"generated Go is current", generatedIsCurrent},
		{"nothing is broken since " + image, nothingBroken},
		{image + " is current", imageIsCurrent},
		{image + " changed only with " + changelog, imageWithChangelog},
	} {
		if err := check.do(ctx); err != nil {
			status = 1
			fmt.Fprintf(stdout, "FAIL %s: %v\n", check.name, err)
			continue
		}
		fmt.Fprintf(stdout, "ok   %s\n", check.name)
	}
	return status
}

func lint(ctx context.Context) error {
	_, err := output(ctx, "buf", "lint")
	return err
}

// generatedIsCurrent generates into an empty folder and compares.
func generatedIsCurrent(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ballast-proto-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if _, err := output(ctx, "buf", "generate", "-o", dir); err != nil {
		return err
	}
	differing, err := compare("proto", filepath.Join(dir, "proto"))
	if err != nil {
		return err
	}
	if len(differing) > 0 {
		return fmt.Errorf("%s differ from what the sources generate; run `make proto` and commit the result", strings.Join(differing, ", "))
	}
	return nil
}

// compare returns the generated files that are missing, left over or different between two folders.
func compare(committed, generated string) ([]string, error) {
	have, err := generatedFiles(committed)
	if err != nil {
		return nil, err
	}
	want, err := generatedFiles(generated)
	if err != nil {
		return nil, err
	}
	var differing []string
	for name, text := range want {
		if !bytes.Equal(have[name], text) {
			differing = append(differing, filepath.Join(committed, name))
		}
		delete(have, name)
	}
	for name := range have {
		differing = append(differing, filepath.Join(committed, name))
	}
	return differing, nil
}

func generatedFiles(dir string) (map[string][]byte, error) {
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".pb.go") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[name], err = os.ReadFile(path)
		return err
	})
	return files, err
}

func nothingBroken(ctx context.Context) error {
	if _, err := output(ctx, "buf", "breaking", "--against", image); err != nil {
		return fmt.Errorf("%w\nif that is meant: `make proto-image`, and say so in %s", err, changelog)
	}
	return nil
}

// imageIsCurrent makes sure that what was added is protected from now on.
func imageIsCurrent(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "ballast-proto-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	built := filepath.Join(dir, "image.binpb")
	if _, err := output(ctx, "buf", "build", "--exclude-source-info", "-o", built); err != nil {
		return err
	}
	want, err := os.ReadFile(built)
	if err != nil {
		return err
	}
	have, err := os.ReadFile(image)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("the wire has changed; run `make proto-image` and say in %s what changed", changelog)
	}
	return nil
}

// imageWithChangelog looks at the work tree and at each commit since the one this work started from: where the image
// changes, the change log does too.
func imageWithChangelog(ctx context.Context) error {
	if _, err := output(ctx, "git", "rev-parse", "--verify", "-q", "HEAD"); err != nil {
		return nil // not a clone: there is no history to look at
	}
	names, err := output(ctx, "git", "diff", "--name-only", "HEAD")
	if err != nil {
		return err
	}
	if err := together("the work tree", names); err != nil {
		return err
	}
	commits, err := output(ctx, "git", "rev-list", "--no-merges", since(ctx))
	if err != nil {
		return err
	}
	for _, commit := range strings.Fields(commits) {
		names, err := output(ctx, "git", "diff-tree", "--no-commit-id", "--name-only", "--root", "-r", commit)
		if err != nil {
			return err
		}
		if err := together("commit "+commit[:12], names); err != nil {
			return err
		}
	}
	return nil
}

// since returns the range of commits to look at: those that the main branch of origin does not have, else the newest.
func since(ctx context.Context) string {
	for _, base := range []string{"origin/main", "HEAD~1"} {
		if ahead, err := output(ctx, "git", "rev-list", "--count", base+"..HEAD"); err == nil && strings.TrimSpace(ahead) != "0" {
			return base + "..HEAD"
		}
	}
	return "HEAD"
}

// together checks a list of changed files, one a line.
func together(where, names string) error {
	changed := map[string]bool{}
	for name := range strings.Lines(names) {
		changed[strings.TrimSpace(name)] = true
	}
	if changed[image] && !changed[changelog] {
		return fmt.Errorf("%s changes %s without a line in %s", where, image, changelog)
	}
	return nil
}

// output runs a command and returns what it prints; what it says about a failure is in the error.
func output(ctx context.Context, name string, args ...string) (string, error) {
	var stdout, stderr bytes.Buffer
	command := exec.CommandContext(ctx, name, args...)
	command.Stdout, command.Stderr = &stdout, &stderr
	err := command.Run()
	if errors.Is(err, exec.ErrNotFound) {
		return "", fmt.Errorf("%w; run `make proto-check`, which builds it", err)
	}
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, stdout.Bytes(), stderr.Bytes())
	}
	return stdout.String(), nil
}
