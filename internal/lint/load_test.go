package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
)

const module = "github.com/ballastdb/ballast"

// goPackage is what `go list -json` says about a package of the module.
type goPackage struct {
	ImportPath, Dir, Name                       string
	GoFiles, TestGoFiles, XTestGoFiles, Imports []string
	Deps                                        []string
	Error                                       *struct{ Err string }
}

func (p goPackage) folder() string { return short(p.ImportPath) }

func (p goPackage) under(folder string) bool { return folder == "" || below(p.folder(), folder) }

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// load lists all packages of the module with what they depend on.
func load(t *testing.T) []goPackage {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", "list", "-e",
		"-json=ImportPath,Dir,Name,GoFiles,TestGoFiles,XTestGoFiles,Imports,Deps,Error", module+"/...")
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.Bytes())
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 10 {
		t.Fatalf("go list found %d packages, wanted the whole module", len(packages))
	}
	return packages
}
