package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const runbooks = "../../docs/runbooks/"

// awaited are pages that the index names and that are being written: what they lack of the form of the others is not held against
// them. A page goes from here once it has that form and mentions its alerts.
var awaited []string

// pagesOf are the runbooks by name, without the index.
func pagesOf(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(runbooks + "*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no runbooks: %v", err)
	}
	pages := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if name := filepath.Base(file); name != "README.md" {
			pages[name] = string(text)
		}
	}
	return pages
}

func index(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(runbooks + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestEveryRunbookSaysWhatItMust: what it looks like, what to do, what never to do; and the index leads to it.
func TestEveryRunbookSaysWhatItMust(t *testing.T) {
	list := index(t)
	for name, page := range pagesOf(t) {
		for _, heading := range []string{"## What it looks like\n", "## What to do\n", "## What never to do\n"} {
			if !strings.Contains(page, heading) && !slices.Contains(awaited, name) {
				t.Errorf("%s: %q is missing", name, heading)
			}
		}
		if !strings.Contains(list, "]("+name+")") {
			t.Errorf("%s is not in the index", name)
		}
	}
}

var link = regexp.MustCompile(`\]\(([^):]+?)(#[^)]*)?\)`)

// TestLinksOfRunbooksLead: a link leads to a file.
func TestLinksOfRunbooksLead(t *testing.T) {
	pages := pagesOf(t)
	pages["README.md"] = index(t)
	for name, page := range pages {
		for _, m := range link.FindAllStringSubmatch(page, -1) {
			if _, err := os.Stat(runbooks + m[1]); err != nil && !slices.Contains(awaited, m[1]) {
				t.Errorf("%s leads to %s: %v", name, m[1], err)
			}
		}
	}
}

var row = regexp.MustCompile("(?m)^\\| `(Ballast\\w+)` \\| \\[([a-z-]+\\.md)\\]")

// TestAlertsAndRunbooksNameEachOther: each alert's runbook is there, with the heading that it names, and mentions the alert; the index
// has exactly the alerts that there are.
func TestAlertsAndRunbooksNameEachOther(t *testing.T) {
	pages, listed := pagesOf(t), map[string]string{}
	for _, m := range row.FindAllStringSubmatch(index(t), -1) {
		listed[m[1]] = m[2]
	}
	for _, a := range alerts(t) {
		name, anchor, _ := strings.Cut(strings.TrimPrefix(a.Annotations["runbook"], "docs/runbooks/"), "#")
		if listed[a.Alert] != name {
			t.Errorf("%s: its runbook is %q, the index has %q", a.Alert, name, listed[a.Alert])
		}
		delete(listed, a.Alert)
		if slices.Contains(awaited, name) {
			continue
		}
		page := pages[name]
		if !slices.Contains(anchors(page), anchor) {
			t.Errorf("%s: %s has no heading #%s", a.Alert, name, anchor)
		}
		if !strings.Contains(page, "`"+a.Alert+"`") {
			t.Errorf("%s does not mention its alert %s", name, a.Alert)
		}
	}
	for name, page := range listed {
		t.Errorf("the index has an alert %s for %s, which does not exist", name, page)
	}
	known := regexp.MustCompile("`(Ballast[A-Z]\\w+)`")
	for name, page := range pages {
		for _, m := range known.FindAllStringSubmatch(page, -1) {
			if !slices.ContainsFunc(alerts(t), func(a alert) bool { return a.Alert == m[1] }) {
				t.Errorf("%s mentions an alert %s, which does not exist", name, m[1])
			}
		}
	}
}

// anchors are the headings of a page as they are linked to.
func anchors(page string) (list []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		text := regexp.MustCompile(`[^a-z0-9 -]`).ReplaceAllString(strings.ToLower(m[1]), "")
		list = append(list, strings.ReplaceAll(text, " ", "-"))
	}
	return list
}

var (
	block    = regexp.MustCompile("(?ms)^ *```sh[^\n]*\n(.*?)^ *```")
	ours     = regexp.MustCompile(`^(?:runuser -u ballast -- )?(ballastd?) (.+)$`)
	verbWord = regexp.MustCompile(`^[a-z]+(-[a-z]+)?$`)
	flagWord = regexp.MustCompile(`--[a-z][a-z-]*`)
)

// TestCommandsOfRunbooksExist: every command of ours in a block is a verb that exists, with flags that it has, and every block is shell.
func TestCommandsOfRunbooksExist(t *testing.T) {
	bin := t.TempDir()
	run(t, "../..", nil, "go", "build", "-o", bin+"/", "./cmd/ballast", "./cmd/ballastd")
	helps := map[string]string{}
	help := func(words ...string) string {
		key := strings.Join(words, " ")
		if helps[key] == "" {
			out, err := exec.CommandContext(t.Context(), filepath.Join(bin, words[0]), append(words[1:], "--help")...).CombinedOutput()
			if err != nil {
				t.Fatalf("%s --help: %v\n%s", key, err, out)
			}
			helps[key] = string(out)
		}
		return helps[key]
	}
	commands := 0
	for name, page := range pagesOf(t) {
		for _, b := range block.FindAllStringSubmatch(page, -1) {
			run(t, "../..", nil, "bash", "-nc", b[1])
			for line := range strings.Lines(b[1]) {
				for _, m := range ours.FindAllStringSubmatch(strings.TrimSpace(line), -1) {
					commands++
					if problem := wrongCommand(m[1], m[2], help); problem != "" {
						t.Errorf("%s: %s: %s", name, strings.TrimSpace(line), problem)
					}
				}
			}
		}
	}
	if commands < 15 {
		t.Errorf("only %d commands were found", commands)
	}
	for _, bad := range []string{"no-such", "members no-such", "status --no-such"} {
		if wrongCommand("ballast", bad, help) == "" {
			t.Errorf("ballast %s is taken for right", bad)
		}
	}
}

// wrongCommand says what is wrong with a command line; empty: nothing.
func wrongCommand(program, line string, help func(words ...string) string) string {
	words := []string{program}
	usage := func() string { return "Usage:\n  " + strings.Join(words, " ") }
	for _, w := range strings.Fields(line) {
		if !verbWord.MatchString(w) {
			break
		}
		words = append(words, w)
		if text := help(words...); !strings.Contains(text, usage()+" ") && !strings.Contains(text, usage()+"\n") {
			words = words[:len(words)-1] // an argument, where the verb has no further ones
			break
		}
	}
	text := help(words...)
	if len(words) == 1 || strings.Contains(text, "Available Commands:") && !strings.Contains(text, usage()+" FILE") {
		return "there is no such verb"
	}
	for _, flag := range flagWord.FindAllString(line, -1) {
		if !strings.Contains(text, flag+" ") && !strings.Contains(text, flag+"\n") && !strings.Contains(text, flag+"[") {
			return "it has no flag " + flag
		}
	}
	return ""
}
