package main

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// staged is a tree of each program without the program itself, and without what is
// read out of it. Tests run below release, and recipes name files from the top.
func staged(t *testing.T) []tree {
	t.Helper()
	t.Chdir("..")
	b := &build{version: "1.2.0-rc.1", date: time.Unix(1_700_000_000, 0).UTC()}
	var trees []tree
	for _, p := range products() {
		s := tree{product: p, arch: "amd64", root: t.TempDir()}
		for _, err := range []error{
			s.service(), s.scripts(), b.writePages(s.root, p), b.documents(s), s.write("bin/"+p.name, []byte("program")),
			s.write("doc/THIRD-PARTY.gz", nil), s.write("doc/"+p.name+".cdx.json", nil),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		trees = append(trees, s)
	}
	return trees
}

// recipe is what a test reads of an nfpm file.
type recipe struct {
	Name     string `yaml:"name"`
	Contents []struct {
		Src, Dst, Type, Packager string
	} `yaml:"contents"`
	Overrides map[string]struct {
		Scripts map[string]string `yaml:"scripts"`
	} `yaml:"overrides"`
}

// What a recipe names is staged, and what is staged is in a recipe.
func TestTheRecipesFitTheTree(t *testing.T) {
	for _, s := range staged(t) {
		text, err := os.ReadFile(s.at("nfpm.yaml"))
		if err != nil {
			t.Fatal(err)
		}
		var r recipe
		if err := yaml.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{"nfpm.yaml": true, "scripts": true}
		for _, c := range r.Contents {
			if c.Type == "dir" {
				continue
			}
			named[strings.TrimSuffix(c.Src, "/")] = true
			if info, err := os.Stat(s.at(c.Src)); err != nil || info.IsDir() != (c.Type == "tree") {
				t.Errorf("%s: %s for %s: %v", r.Name, c.Src, c.Dst, err)
			}
			if strings.HasPrefix(c.Dst, "/etc/") && !strings.HasPrefix(c.Type, "config") {
				t.Errorf("%s: %s would be replaced by an upgrade", r.Name, c.Dst)
			}
		}
		for kind, o := range r.Overrides {
			for _, script := range o.Scripts {
				if _, err := os.Stat(s.at(script)); err != nil {
					t.Errorf("%s, %s: %v", r.Name, kind, err)
				}
			}
		}
		err = filepath.WalkDir(s.root, func(path string, d os.DirEntry, err error) error {
			name, _ := filepath.Rel(s.root, path)
			for part := name; part != "."; part = filepath.Dir(part) {
				if named[part] {
					return err
				}
			}
			if !d.IsDir() {
				t.Errorf("%s: no package has %s", r.Name, name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// PK-7: each command that people can type has a page, and each flag is on it.
func TestEveryCommandHasAPageWithItsFlags(t *testing.T) {
	for _, s := range staged(t) {
		pages, root := 0, s.command()
		for _, c := range commands(root) {
			pages++
			path := s.at("man", strings.ReplaceAll(c.CommandPath(), " ", "-")+".8.gz")
			page := strings.ReplaceAll(unzip(t, path), `\-`, "-")
			if !strings.HasPrefix(page, ".nh\n.TH ") || !strings.Contains(page, `"Nov 2023" "`+s.name+` 1.2.0-rc.1"`) {
				t.Errorf("%s begins with %.200q", path, page)
			}
			want := []string{strings.Fields(c.Short)[0]}
			c.Flags().VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					want = append(want, "--"+f.Name)
				}
			})
			for _, word := range want {
				if !strings.Contains(page, word) {
					t.Errorf("%s does not have %s", path, word)
				}
			}
			if strings.Contains(page, "Auto generated") {
				t.Errorf("%s has the date of the build", path)
			}
		}
		files, err := os.ReadDir(s.at("man"))
		if err != nil || pages < 10 || len(files) < pages {
			t.Errorf("%s: %d commands, %d pages, %v", s.name, pages, len(files), err)
		}
	}
}

// PK-7
func TestCompletionsKnowTheProgram(t *testing.T) {
	for _, s := range staged(t) {
		for shell, want := range map[string]string{"bash": "complete -o default -F __start_" + s.name + " " + s.name, "zsh": "#compdef " + s.name, "fish": "complete -c " + s.name} {
			text, err := os.ReadFile(s.at("completions", shell))
			if err != nil || !strings.Contains(string(text), want) {
				t.Errorf("%s, %s: no %q: %v", s.name, shell, want, err)
			}
		}
	}
}

// PK-3, PK-8, PK-10
func TestNothingInAPackageIsLeftOpen(t *testing.T) {
	for _, s := range staged(t) {
		for _, script := range []string{"deb-postinst.sh", "deb-prerm.sh", "deb-postrm.sh", "rpm-pre.sh", "rpm-post.sh", "rpm-preun.sh", "rpm-postun.sh"} {
			text, err := os.ReadFile(s.at("scripts", script))
			if err != nil || regexp.MustCompile(`@[A-Z]+@`).Match(text) || !strings.Contains(string(text), s.name) {
				t.Errorf("%s, %s: %v\n%s", s.name, script, err, text)
			}
			if deletes := strings.Contains(string(text), "rm -rf"); deletes != (script == "deb-postrm.sh") {
				t.Errorf("%s, %s deletes: %v", s.name, script, deletes)
			}
		}
		for _, unit := range s.units {
			text, err := os.ReadFile(s.at("units", unit))
			if err != nil || strings.Contains(string(text), "/usr/local") {
				t.Errorf("%s: %v", unit, err)
			}
			if strings.HasSuffix(unit, ".service") && !strings.Contains(string(text), "\nExecStart=/usr/bin/"+s.name+" ") {
				t.Errorf("%s starts another program", unit)
			}
			user := regexp.MustCompile(`(?m)^User=(.*)$`).FindStringSubmatch(string(text))
			accounts, err := os.ReadFile(s.at("sysusers.conf"))
			if user != nil && (err != nil || !strings.Contains(string(accounts), "\nu "+user[1]+" ")) {
				t.Errorf("%s runs as %s, and sysusers makes another one: %v", unit, user[1], err)
			}
		}
	}
}

// The folders of others are taken as soon as they have files.
func TestExamplesOfAFolderAreTakenIfItIsThere(t *testing.T) {
	folder := t.TempDir()
	for _, name := range []string{"a.rules.yml", "b.json", "a_test.go"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := make(map[string]string)
	if err := addFolder(files, "doc/examples/x", folder); err != nil || len(files) != 2 || files["doc/examples/x/a.rules.yml"] == "" {
		t.Errorf("%v %v", files, err)
	}
	if err := addFolder(files, "doc/examples/x", filepath.Join(folder, "absent")); err != nil {
		t.Error(err)
	}
}

// PK-6: a module that says nothing of its licence stops the release.
func TestAModuleWithoutALicenceStopsTheRelease(t *testing.T) {
	for name, tt := range map[string]struct {
		files []string
		want  int
	}{
		"a licence":               {[]string{"LICENSE", "go.mod"}, 1},
		"written otherwise":       {[]string{"COPYING.md"}, 1},
		"a licence and a notice":  {[]string{"LICENCE.txt", "NOTICE"}, 2},
		"nothing":                 {[]string{"README.md", "license.go"}, 0},
		"authors are no licence":  {[]string{"AUTHORS"}, 0},
		"a folder is no licence":  {[]string{"licenses/MIT"}, 0},
		"what Go itself comes as": {[]string{"LICENSE", "PATENTS"}, 2},
	} {
		folder := t.TempDir()
		for _, f := range tt.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, f)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, f), []byte("text"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		list, err := texts(folder)
		if (err != nil) != (tt.want == 0) || err == nil && len(list) != tt.want {
			t.Errorf("%s: %v %v", name, list, err)
		}
	}
}

func unzip(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if !r.ModTime.IsZero() || r.Name != "" {
		t.Errorf("%s has a name or a time: %q %v", path, r.Name, r.ModTime)
	}
	return string(text)
}
