package lint

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"testing"
)

// TestStateMachineRangesOverNoMap: map order differs between processes, so a range over one in the state machine makes
// replicas differ. Only types tell a map from a slice, so these packages are type-checked.
func TestStateMachineRangesOverNoMap(t *testing.T) {
	for _, p := range load(t) {
		if !p.under("fsm/page") && !p.under("fsm/ledger") && !p.under("fsm/roster") {
			continue
		}
		fset := token.NewFileSet()
		var files []*ast.File
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		config := types.Config{Importer: importer.ForCompiler(fset, "source", nil)}
		if _, err := config.Check(p.ImportPath, fset, files, info); err != nil {
			t.Errorf("%s does not type-check: %v", p.folder(), err)
			continue
		}
		for _, file := range files {
			ast.Inspect(file, func(node ast.Node) bool {
				if r, ok := node.(*ast.RangeStmt); ok {
					if _, isMap := info.Types[r.X].Type.Underlying().(*types.Map); isMap {
						t.Errorf("%s: ranges over a map: its order differs between members", fset.Position(r.Pos()))
					}
				}
				return true
			})
		}
	}
}
