// Package checkout reads the files of this repository for tests: all of one kind, and
// the commands that pages show people to copy. It runs none of them.
package checkout

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"mvdan.cc/sh/v3/syntax"
)

// Each calls fn for every file below root whose name ends in suffix, but for what is
// built and for testdata. Paths count from root.
func Each(t testing.TB, root, suffix string, fn func(path string, content []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && (name == ".git" || name == "bin" || name == "dist" || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(name, suffix) {
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		fn(filepath.ToSlash(relative), content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Command is one that a page shows.
type Command struct {
	Page string // its path below the root
	Line int
	Args []string // after the name of the program
}

// Commands returns every command of a program that a shell block of a page below root
// shows. What a shell would fill in, as a variable, is "1" in the arguments. A block
// that no shell can read fails the test.
func Commands(t testing.TB, root, program string) (all []Command) {
	t.Helper()
	Each(t, root, ".md", func(page string, content []byte) {
		for line, block := range ShellBlocks(string(content)) {
			file, err := syntax.NewParser().Parse(strings.NewReader(block), page)
			if err != nil {
				t.Errorf("%s: the block that begins at line %d: %v", page, line, err)
				continue
			}
			syntax.Walk(file, func(n syntax.Node) bool {
				if call, ok := n.(*syntax.CallExpr); ok {
					if args, ok := argsOf(call, program); ok {
						all = append(all, Command{page, line + int(call.Pos().Line()) - 1, args})
					}
				}
				return true
			})
		}
	})
	return all
}

// TryCommands fails the test for each command of a program, shown by a page below
// folder, that does not exist, or not with these flags and arguments; and where pages
// show fewer commands than least. root makes the command of the program anew.
func TryCommands(t testing.TB, folder, program string, least int, root func() *cobra.Command) {
	t.Helper()
	all := Commands(t, folder, program)
	if len(all) < least {
		t.Errorf("only %d commands found", len(all))
	}
	for _, c := range all {
		cmd, rest, err := root().Find(slices.Clone(c.Args))
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		if err == nil {
			err = cmd.ValidateArgs(cmd.Flags().Args())
		}
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err != nil {
			t.Errorf("%s:%d: %v: %v", c.Page, c.Line, c.Args, err)
		}
	}
}

// ShellBlocks yields the shell blocks of a page by their first line, which is 1 for the
// first of the page.
func ShellBlocks(page string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		var block []string
		begins := 0
		for i, line := range strings.Split(page, "\n") {
			switch fence := strings.TrimSpace(line); {
			case begins == 0 && (fence == "```sh" || fence == "```bash"):
				begins, block = i+2, nil
			case begins != 0 && fence == "```":
				if !yield(begins, strings.Join(block, "\n")) {
					return
				}
				begins = 0
			case begins != 0:
				block = append(block, line)
			}
		}
	}
}

// argsOf returns the arguments of program where a call runs it, perhaps by sudo or env.
func argsOf(call *syntax.CallExpr, program string) ([]string, bool) {
	var words []string
	for _, w := range call.Args {
		words = append(words, textOf(w.Parts))
	}
	if len(words) > 0 && (words[0] == "sudo" || words[0] == "env") {
		words = words[1:]
		for len(words) > 1 && (strings.HasPrefix(words[0], "-") || strings.Contains(words[0], "=")) {
			if words[0] == "-u" || words[0] == "-g" { // of sudo, whose value follows
				words = words[1:]
			}
			words = words[1:]
		}
	}
	if len(words) == 0 || path.Base(words[0]) != program {
		return nil, false
	}
	return words[1:], true
}

func textOf(parts []syntax.WordPart) string {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case *syntax.Lit:
			b.WriteString(strings.ReplaceAll(p.Value, `\`, ""))
		case *syntax.SglQuoted:
			b.WriteString(p.Value)
		case *syntax.DblQuoted:
			b.WriteString(textOf(p.Parts))
		default:
			b.WriteString("1")
		}
	}
	return b.String()
}
