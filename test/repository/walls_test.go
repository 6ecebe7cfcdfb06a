package repository

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forTests reports whether a folder, or a package, serves tests and
// demonstrations only.
func forTests(name string) bool {
	return strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "standins/") || strings.HasSuffix(path.Base(name), "test")
}

// eachProductionFile calls fn for every Go file that may become part of a
// program.
func eachProductionFile(t *testing.T, fn func(path string, files *token.FileSet, file *ast.File)) {
	t.Helper()
	eachFile(t, ".go", func(path string, source []byte) {
		if strings.HasSuffix(path, "_test.go") || forTests(filepath.ToSlash(filepath.Dir(path))) {
			return
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		fn(path, files, file)
	})
}

// A program that imports a stand-in carries a false NetBox or a false Windows
// server with it, and net/http/httptest adds flags of its own.
func TestProductionCodeImportsNoStandIn(t *testing.T) {
	eachProductionFile(t, func(path string, _ *token.FileSet, file *ast.File) {
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if forTests(strings.TrimPrefix(name, module)) {
				t.Errorf("%s imports %s, which serves tests only", path, name)
			}
		}
	})
}

// The id of a rule is for the reader of a log or a plan. Code that compares it
// would change what it does when a rule gets another number.
func TestNoProductionFileComparesARule(t *testing.T) {
	eachProductionFile(t, func(_ string, files *token.FileSet, file *ast.File) {
		ast.Inspect(file, func(n ast.Node) bool {
			if comparesRule(n) {
				t.Errorf("%s compares a rule: give what it decides by a type of its own", files.Position(n.Pos()))
			}
			return true
		})
	})
}

// comparesRule finds a comparison with a certain rule. Whether there is a rule
// at all, and whether two are the same, may be asked.
func comparesRule(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.SwitchStmt:
		return n.Tag != nil && isRule(n.Tag)
	case *ast.BinaryExpr:
		return (n.Op == token.EQL || n.Op == token.NEQ) && (isRule(n.X) && isCertain(n.Y) || isRule(n.Y) && isCertain(n.X))
	case *ast.CallExpr:
		f, ok := n.Fun.(*ast.SelectorExpr)
		return ok && searches(f) && slices.ContainsFunc(n.Args, isRule)
	}
	return false
}

// searches reports whether a function of package strings looks into a text.
func searches(f *ast.SelectorExpr) bool {
	from, ok := f.X.(*ast.Ident)
	return ok && from.Name == "strings" && slices.Contains([]string{"Contains", "HasPrefix", "HasSuffix", "EqualFold"}, f.Sel.Name)
}

func isRule(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return e.Sel.Name == "Rule"
	case *ast.Ident:
		return e.Name == "rule"
	}
	return false
}

// isCertain reports whether an operand is a text or a constant.
func isCertain(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value != `""`
	case *ast.Ident:
		return e.Name != "nil" && !isRule(e)
	}
	return false
}

func TestAComparisonOfARuleIsFound(t *testing.T) {
	for text, want := range map[string]bool{
		`d.Rule == "one"`:                 true,
		`"one" != d.Rule`:                 true,
		`rule == "one"`:                   true,
		`d.Rule == ruleNAK`:               true,
		`d.Rule == ""`:                    false,
		`a.Rule == b.Rule`:                false,
		`d.State == "bound"`:              false,
		`strings.HasPrefix(d.Rule, "D-")`: true,
		`strings.HasPrefix(d.Text, "D-")`: false,
	} {
		e, err := parser.ParseExpr(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := comparesRule(e); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}
