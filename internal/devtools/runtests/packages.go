package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goPackage is what `go list -json` says about a package.
type goPackage struct {
	ImportPath   string
	Dir          string
	GoFiles      []string
	CgoFiles     []string
	TestGoFiles  []string
	XTestGoFiles []string
}

func (p goPackage) tested() bool { return len(p.TestGoFiles)+len(p.XTestGoFiles) > 0 }

// list returns the packages that the patterns name and that have tests.
func list(ctx context.Context, patterns []string) ([]goPackage, error) {
	command := exec.CommandContext(ctx, "go", append([]string{
		"list", "-e",
		"-json=ImportPath,Dir,GoFiles,CgoFiles,TestGoFiles,XTestGoFiles",
	}, patterns...)...)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.Bytes())
	}
	var packages []goPackage
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.tested() {
			packages = append(packages, p)
		}
	}
}

// noRace are the folders whose concurrency is in other processes, which are built without the race detector: under it
// only the observer would get slower.
var noRace = []string{"/tests/"}

// split separates the packages where the race detector matters from the others.
func split(packages []goPackage) (racing, plain []goPackage) {
	for _, p := range packages {
		if concurrent(p) && !excepted(p.ImportPath) {
			racing = append(racing, p)
		} else {
			plain = append(plain, p)
		}
	}
	return racing, plain
}

func excepted(importPath string) bool {
	for _, part := range noRace {
		if strings.Contains(importPath, part) {
			return true
		}
	}
	return false
}

// concurrent reports whether the package, or its tests, start goroutines or use what only concurrent code needs.
func concurrent(p goPackage) bool {
	for _, files := range [][]string{p.GoFiles, p.TestGoFiles, p.XTestGoFiles} {
		for _, name := range files {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, 0)
			if err != nil || fileConcurrent(file) { // go test will say what is wrong with a file that does not parse
				return true
			}
		}
	}
	return false
}

func fileConcurrent(file *ast.File) bool {
	for _, spec := range file.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if path == "sync" || path == "sync/atomic" || strings.HasPrefix(path, "golang.org/x/sync/") {
			return true
		}
	}
	found := false
	ast.Inspect(file, func(node ast.Node) bool {
		if _, ok := node.(*ast.GoStmt); ok {
			found = true
		}
		return !found
	})
	return found
}

// tables matches the names of tests that cross many cases, faults by calls or operations with a model, in one goroutine. The race
// detector finds nothing in them, and takes ten times as long.
const tables = "(Faults|AgainstModel)$"

// withTables are the packages that have such tests.
func withTables(packages []goPackage) (list []goPackage) {
	name := regexp.MustCompile("^Test.*" + tables)
	for _, p := range packages {
		if slices.ContainsFunc(testNames(p), name.MatchString) {
			list = append(list, p)
		}
	}
	return list
}

// testNames are those of the functions in a package's test files.
func testNames(p goPackage) (names []string) {
	for _, file := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
		parsed, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, file), nil, 0)
		if err != nil {
			continue // it counts among the others, where go test says what is wrong
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

// missingForRace says what the race detector lacks on this machine; empty: nothing.
func missingForRace(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "go", "env", "CC").Output()
	compiler := strings.Fields(string(out))
	if err != nil || len(compiler) == 0 {
		return "no C compiler is configured (go env CC)"
	}
	if _, err := exec.LookPath(compiler[0]); err != nil {
		return "no C compiler: " + compiler[0] + " is not on PATH"
	}
	out, err = exec.CommandContext(ctx, "go", "env", "CGO_ENABLED").Output()
	if err == nil && strings.TrimSpace(string(out)) == "0" {
		return "CGO_ENABLED is 0"
	}
	return ""
}
