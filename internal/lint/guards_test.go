package lint

import (
	"go/ast"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var guardRow = regexp.MustCompile(`(?m)^\| *([^|]+?) *\| *[a-z][a-z0-9/]* *\| *Test\w+ *\|`)

// TestEveryGuardHasARow: a guard that is not in the table of docs/testing.md is never seen to fail, and a row without a
// guard shows nothing.
func TestEveryGuardHasARow(t *testing.T) {
	document, err := os.ReadFile("../../docs/testing.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, m := range guardRow.FindAllStringSubmatch(string(document), -1) {
		rows[strings.TrimPrefix(m[1], "#")] = true
	}
	asked := map[string]bool{}
	eachFile(t, load(t), false, func(p goPackage, fset *token.FileSet, file *ast.File) {
		name := importName(file, module+"/internal/guard", "guard")
		if name == "" {
			return
		}
		for _, guard := range guardNames(file, name) {
			asked[strings.TrimPrefix(guard, "#")] = true
		}
	})
	for guard := range asked {
		if !rows[guard] {
			t.Errorf("guard %q has no row in docs/testing.md", guard)
		}
	}
	for guard := range rows {
		if !asked[guard] {
			t.Errorf("docs/testing.md has a row for %q, which no code asks for", guard)
		}
	}
}

// guardNames returns the literal names that a file gives to guard.On or to constants of type guard.Name.
func guardNames(file *ast.File, pkg string) (names []string) {
	isGuards := func(e ast.Expr, wanted string) bool {
		s, ok := e.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != wanted {
			return false
		}
		x, ok := s.X.(*ast.Ident)
		return ok && x.Name == pkg
	}
	literal := func(expressions []ast.Expr) {
		for _, e := range expressions {
			if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
				if name, err := strconv.Unquote(l.Value); err == nil {
					names = append(names, name)
				}
			}
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			if isGuards(n.Fun, "On") {
				literal(n.Args)
			}
		case *ast.ValueSpec:
			if isGuards(n.Type, "Name") {
				literal(n.Values)
			}
		}
		return true
	})
	return names
}
