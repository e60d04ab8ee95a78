package lint

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

// eachFile parses every file of the packages that are not generated; with tests where asked.
func eachFile(t *testing.T, packages []goPackage, tests bool, visit func(p goPackage, fset *token.FileSet, file *ast.File)) {
	t.Helper()
	for _, p := range packages {
		names := slices.Clone(p.GoFiles)
		if tests {
			names = append(append(names, p.TestGoFiles...), p.XTestGoFiles...)
		}
		for _, name := range names {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				t.Errorf("%s: %v", p.folder(), err)
				continue
			}
			if !ast.IsGenerated(file) {
				visit(p, fset, file)
			}
		}
	}
}

// importName returns the name under which a file imports a path; empty where it does not.
func importName(file *ast.File, path, base string) string {
	for _, spec := range file.Imports {
		if got, _ := strconv.Unquote(spec.Path.Value); got == path {
			if spec.Name != nil {
				return spec.Name.Name
			}
			return base
		}
	}
	return ""
}

// selectors calls visit for every pkg.Name of a file.
func selectors(file *ast.File, pkg string, visit func(name string, at token.Pos)) {
	ast.Inspect(file, func(node ast.Node) bool {
		if s, ok := node.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg && x.Obj == nil {
				visit(s.Sel.Name, s.Pos())
			}
		}
		return true
	})
}

func TestStateMachineHasNoClockAndNoGoroutine(t *testing.T) {
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTicker", "NewTimer"}
	pure := []string{"fsm/page", "fsm/ledger", "fsm/proposal", "fsm/roster"}
	eachFile(t, load(t), false, func(p goPackage, fset *token.FileSet, file *ast.File) {
		if !slices.ContainsFunc(pure, p.under) {
			return
		}
		if name := importName(file, "time", "time"); name != "" {
			selectors(file, name, func(used string, at token.Pos) {
				if slices.Contains(clock, used) {
					t.Errorf("%s: time.%s: the only clock that the state machine sees is in the log", fset.Position(at), used)
				}
			})
		}
		ast.Inspect(file, func(node ast.Node) bool {
			switch node.(type) {
			case *ast.GoStmt, *ast.SelectStmt:
				t.Errorf("%s: no goroutine in the state machine: its order would differ between members", fset.Position(node.Pos()))
			}
			return true
		})
	})
}

func TestNoGlobalLoggersAndNoExitOutsideMain(t *testing.T) {
	eachFile(t, load(t), false, func(p goPackage, fset *token.FileSet, file *ast.File) {
		if importName(file, "log", "log") != "" || importName(file, "log/slog", "slog") != "" {
			t.Errorf("%s: logs with the standard library: loggers are hclog's, and injected", fset.Position(file.Package))
		}
		hclog := importName(file, "github.com/hashicorp/go-hclog", "hclog")
		if hclog != "" {
			selectors(file, hclog, func(used string, at token.Pos) {
				if used == "Default" || used == "L" || used == "SetDefault" {
					t.Errorf("%s: hclog.%s is a package global: loggers are injected", fset.Position(at), used)
				}
			})
			for _, at := range packageVariablesOf(file, hclog) {
				t.Errorf("%s: a package-level logger: loggers are injected", fset.Position(at))
			}
		}
		if os := importName(file, "os", "os"); os != "" && p.Name != "main" {
			selectors(file, os, func(used string, at token.Pos) {
				if used == "Exit" {
					t.Errorf("%s: os.Exit outside a main package: return an error, or tell the owner", fset.Position(at))
				}
			})
		}
	})
}

// packageVariablesOf returns package-level variables that are declared or made with the package's names.
func packageVariablesOf(file *ast.File, pkg string) []token.Pos {
	var found []token.Pos
	for _, decl := range file.Decls {
		d, ok := decl.(*ast.GenDecl)
		if !ok || d.Tok != token.VAR {
			continue
		}
		ast.Inspect(d, func(node ast.Node) bool {
			if _, ok := node.(*ast.FuncLit); ok {
				return false
			}
			if s, ok := node.(*ast.SelectorExpr); ok {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg && (s.Sel.Name == "Logger" || s.Sel.Name == "New") {
					found = append(found, s.Pos())
				}
			}
			return true
		})
	}
	return found
}
