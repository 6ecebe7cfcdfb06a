package repository

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room is a row of the table "Who may use whom" in docs/architecture.md.
type room struct {
	name string
	may  []string // packages of this module it may import
}

var (
	roomRow = regexp.MustCompile(`(?m)^\| ((?:docs|deploy|internal|launch|plugins|sync)[a-z0-9/]*) \| (.+) \|$`)
	// inTheMiddle are the packages that both columns may use.
	inTheMiddle = regexp.MustCompile(`^(docs/spec|deploy|internal/(circuit|canonjson|exit|history|nearest|netbox|page|prepare|printable|quiet|rest|settings|strictyaml|version|who))$`)
	// outside are the programs themselves, and those that make them: mains that name what they are made of.
	outside = regexp.MustCompile(`^(cmd|generator|release)(/|$)`)
)

func rooms(t *testing.T) []room {
	t.Helper()
	page, err := os.ReadFile(root + "/docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "## Who may use whom")
	if !found {
		t.Fatal("docs/architecture.md has no table of imports")
	}
	table, _, _ = strings.Cut(table, "\n## ")
	var all []room
	for _, m := range roomRow.FindAllStringSubmatch(table, -1) {
		r := room{name: m[1]}
		if m[2] != "–" {
			r.may = strings.Split(m[2], ", ")
		}
		all = append(all, r)
	}
	return all
}

// TestTheMapHasNoArrowUpwards reads the map alone: a row may name rows above
// it only, and the columns of the two programs meet in the middle.
func TestTheMapHasNoArrowUpwards(t *testing.T) {
	above := make(map[string]bool)
	for _, r := range rooms(t) {
		for _, other := range r.may {
			if !above[other] {
				t.Errorf("%s may import %s, which is no row above it", r.name, other)
			}
			switch {
			case inTheMiddle.MatchString(other):
			case inTheMiddle.MatchString(r.name):
				t.Errorf("%s is in the middle and may import %s, which is not", r.name, other)
			case strings.HasPrefix(r.name, "sync/") != strings.HasPrefix(other, "sync/"):
				t.Errorf("%s may import %s, which is in the column of the other program", r.name, other)
			}
		}
		above[r.name] = true
	}
}

// TestImportsFollowTheMap holds the code against the map, in both directions:
// a row that allows more than is used would hide the next arrow.
func TestImportsFollowTheMap(t *testing.T) {
	used := imports(t)
	for _, r := range rooms(t) {
		if used[r.name] == nil {
			t.Errorf("docs/architecture.md: %s does not exist", r.name)
			continue
		}
		for _, own := range slices.Sorted(maps.Keys(used[r.name])) {
			if !slices.Contains(r.may, own) {
				t.Errorf("%s imports %s: docs/architecture.md does not allow it", r.name, own)
			}
		}
		for _, own := range r.may {
			if !used[r.name][own] {
				t.Errorf("docs/architecture.md: %s may import %s, and does not", r.name, own)
			}
		}
		delete(used, r.name)
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !outside.MatchString(name) {
			t.Errorf("%s has no row in docs/architecture.md", name)
		}
	}
}

// TestGoNetBoxHasOneImporter holds docs/adr/0005, in tests too.
func TestGoNetBoxHasOneImporter(t *testing.T) {
	eachFile(t, ".go", func(path string, source []byte) {
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if strings.HasPrefix(spec.Path.Value, `"github.com/netbox-community/go-netbox`) && filepath.Dir(path) != "internal/netbox" {
				t.Errorf("%s imports go-netbox: only internal/netbox may (docs/adr/0005)", path)
			}
		}
	})
}

// TestTheWaysOnTheMapExist holds the two walks of docs/architecture.md: each
// function is declared in one of the files or folders of its step.
func TestTheWaysOnTheMapExist(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	steps := regexp.MustCompile(`(?m)^\| \d+\. .* \| (.+) \| (.+) \|$`).FindAllStringSubmatch(string(page), -1)
	if len(steps) < 20 {
		t.Fatalf("only %d steps", len(steps))
	}
	for _, step := range steps {
		var code strings.Builder
		for _, file := range quoted.FindAllStringSubmatch(step[2], -1) {
			code.WriteString(goSource(t, filepath.Join(root, file[1])))
		}
		for _, name := range quoted.FindAllStringSubmatch(step[1], -1) {
			last := name[1][strings.LastIndexByte(name[1], '.')+1:]
			declared := regexp.MustCompile(`(?m)^(func (\([^)]*\) )?|type |\t)` + last + `(\(| struct| interface)`)
			if !declared.MatchString(code.String()) {
				t.Errorf("%s is not declared in %s", name[1], step[2])
			}
		}
	}
}

// goSource is the text of a Go file, or of all in a folder.
func goSource(t *testing.T, path string) string {
	t.Helper()
	files := []string{path}
	if !strings.HasSuffix(path, ".go") {
		files, _ = filepath.Glob(filepath.Join(path, "*.go"))
	}
	var b strings.Builder
	for _, f := range files {
		content, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(content)
	}
	return b.String()
}

// imports returns package -> packages of this module that its production files
// import.
func imports(t *testing.T) map[string]map[string]bool {
	t.Helper()
	used := make(map[string]map[string]bool)
	eachProductionFile(t, func(path string, _ *token.FileSet, file *ast.File) {
		folder := filepath.ToSlash(filepath.Dir(path))
		if used[folder] == nil {
			used[folder] = make(map[string]bool)
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if own, ok := strings.CutPrefix(name, module); ok {
				used[folder][own] = true
			}
		}
	})
	return used
}
