package main

import (
	"archive/zip"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// generator runs the program in this folder, which is part of a checkout.
func generator(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, file, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheCommittedProgramIsFresh(t *testing.T) {
	if code, _, stderr := generator(t, "--main", "../cmd/coredhcp-netbox/main.go", "--check"); code != exitOK {
		t.Error(stderr)
	}
}

func TestAStaleProgramIsNoticed(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "main.go"), "package main\n")
	if code, _, stderr := generator(t, "--main", file, "--check"); code != exitFailed || !strings.Contains(stderr, "go generate") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestGeneratedFiles(t *testing.T) {
	list := "dns:github.com/coredhcp/coredhcp/plugins/dns\n" +
		"netbox_dns:github.com/coredhcp-netbox/coredhcp-netbox/plugins/dns\n" +
		"a-b:example.org/b@v1.2.3 # names that differ in punctuation only\n" +
		"a_b:example.net/b-plugin\n"
	parsed, err := parseList(list, "list")
	if err != nil {
		t.Fatal(err)
	}
	m := &module{
		Module:      "example.org/dhcp/custom",
		SelfVersion: "v1.0.0",
		Replace:     []replacement{{"example.net/b-plugin", "/src/b"}, {self, "/src/coredhcp-netbox"}},
		list:        parsed,
	}
	if err := checkList(m.list, m.provides); err != nil {
		t.Fatal(err)
	}
	for name, make := range map[string]func() ([]byte, error){"main.go.golden": m.mainFile, "go.mod.golden": m.modFile} {
		got, err := make()
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, got)
	}
}

func TestThePinsAreThoseOfOurOwnModule(t *testing.T) {
	for _, line := range []string{`(?m)^go .+$`, `github.com/coredhcp/coredhcp v\S+`} {
		pattern := regexp.MustCompile(line)
		if ours, made := pattern.FindString(read(t, "../go.mod")), pattern.FindString(modTemplate); ours == "" || ours != made {
			t.Errorf("go.mod has %q, go.mod.tmpl %q", ours, made)
		}
	}
}

func TestEverythingWrongWithAListIsReportedAtOnce(t *testing.T) {
	file := write(t, filepath.Join(t.TempDir(), "my.cfg"), `# comment
netbox:github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox
no colon here
Upper:example.org/upper@v1.0.0
dots:example.org/../secret@v1.0.0
netbox:example.org/other@v1.0.0
again:github.com/coredhcp-netbox/coredhcp-netbox/plugins/netbox
foreign:example.org/plugin
pinned:github.com/coredhcp/coredhcp/plugins/mtu@v1.0.0
`)
	code, _, stderr := generator(t, "--from", file, "--out", t.TempDir(), "--replace", "nonsense", "quote:example.org/\"x@v1.0.0")
	if code != exitUsage {
		t.Errorf("exit %d, want %d", code, exitUsage)
	}
	golden(t, "errors.golden", []byte(strings.ReplaceAll(stderr, filepath.Dir(file)+"/", "")))
}

func TestWrongCommandLines(t *testing.T) {
	empty := write(t, filepath.Join(t.TempDir(), "empty.cfg"), "# nothing\n")
	for _, tt := range []struct {
		name string
		args []string
		want string
	}{
		{"an unknown flag", []string{"--nonsense"}, "unknown flag"},
		{"--check alone", []string{"--check"}, "--check needs --main"},
		{"a list that is not there", []string{"--from", "nonesuch.cfg"}, "nonesuch.cfg"},
		{"an empty list", []string{"--from", empty}, "empty"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if code, _, stderr := generator(t, tt.args...); code != exitUsage || !strings.Contains(stderr, tt.want) {
				t.Errorf("exit %d: %s", code, stderr)
			}
		})
	}
}

func TestAHandWrittenProgramIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	file := write(t, filepath.Join(dir, "main.go"), "package main // mine\n")
	code, _, stderr := generator(t, "--out", dir, "--no-tidy")
	if code != exitFailed || !strings.Contains(stderr, "not made by this generator") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if read(t, file) != "package main // mine\n" {
		t.Error("it was overwritten")
	}
}

func FuzzParseList(f *testing.F) {
	f.Add(defaultList)
	f.Add("a:b@c # d")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := parseList(text, "list")
		if err != nil || checkList(list, func(string) bool { return true }) != nil {
			return
		}
		m := &module{Module: "m", list: list}
		if _, err := m.mainFile(); err != nil {
			t.Fatalf("a list without mistakes makes a program with one: %v", err)
		}
		names := aliases(list)
		slices.Sort(names)
		if len(slices.Compact(names)) != len(list) {
			t.Fatalf("aliases used twice: %v", names)
		}
	})
}

// stub stands in for our module and a plugin module, so that the whole way to a
// program takes seconds. The plugin is only to be had by version.
func stub(t *testing.T) (selfDir string) {
	t.Helper()
	dir := t.TempDir()
	selfDir = filepath.Join(dir, "self")
	write(t, filepath.Join(selfDir, "go.mod"), "module "+self+"\n\ngo 1.26.0\n")
	write(t, filepath.Join(selfDir, "go.sum"), "")
	write(t, filepath.Join(selfDir, "launch/launch.go"), `package launch

import "fmt"

func Main(list ...*struct{ Name string }) {
	for _, p := range list {
		fmt.Println(p.Name)
	}
}
`)
	proxy := filepath.Join(dir, "proxy")
	versions := filepath.Join(proxy, "example.org/hello/@v")
	mod := "module example.org/hello\n\ngo 1.26.0\n"
	write(t, filepath.Join(versions, "list"), "v1.2.3\nv1.3.0\n")
	for _, v := range []string{"v1.2.3", "v1.3.0"} {
		write(t, filepath.Join(versions, v+".info"), fmt.Sprintf(`{"Version":%q}`, v))
		write(t, filepath.Join(versions, v+".mod"), mod)
		var b bytes.Buffer
		z := zip.NewWriter(&b)
		for name, text := range map[string]string{"go.mod": mod, "greet/greet.go": "package greet\n\nvar Plugin = struct{ Name string }{\"hello\"}\n"} {
			w, err := z.Create("example.org/hello@" + v + "/" + name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(versions, v+".zip"), b.String())
	}
	// What else is asked for, the go.mod of CoreDHCP, this machine has already.
	cache, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOPROXY", "file://"+proxy+",file://"+filepath.Join(strings.TrimSpace(string(cache)), "cache/download"))
	t.Setenv("GOMODCACHE", t.TempDir())
	t.Setenv("GOFLAGS", "-modcacherw -buildvcs=false")
	t.Setenv("GONOSUMDB", "*")
	return selfDir
}

func TestAModuleGetsTheVersionAskedFor(t *testing.T) {
	selfDir := stub(t)
	list := write(t, filepath.Join(t.TempDir(), "my.cfg"), "hello:example.org/hello/greet@v1.2.3\n")
	dir := filepath.Join(t.TempDir(), "greeter")
	code, stdout, stderr := generator(t, "--from", list, "--out", dir, "--replace", self+"="+selfDir, "--build")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if !strings.Contains(stdout, "built "+dir+"/greeter\n") {
		t.Errorf("printed %q", stdout)
	}
	if !strings.Contains(read(t, filepath.Join(dir, "go.mod")), "example.org/hello v1.2.3\n") {
		t.Errorf("go.mod:\n%s", read(t, filepath.Join(dir, "go.mod")))
	}
	if !strings.Contains(read(t, filepath.Join(dir, "go.sum")), "example.org/hello v1.2.3 h1:") {
		t.Errorf("go.sum:\n%s", read(t, filepath.Join(dir, "go.sum")))
	}
}

func TestAWrongNameIsNoticedByTheBuild(t *testing.T) {
	selfDir := stub(t)
	list := write(t, filepath.Join(t.TempDir(), "my.cfg"), "# none of ours\ngreeting:example.org/hello/greet@v1.2.3\n")
	code, _, stderr := generator(t, "--from", list, "--out", filepath.Join(t.TempDir(), "greeter"), "--replace", self+"="+selfDir, "--build")
	if code != exitFailed || !strings.Contains(stderr, "my.cfg:2: example.org/hello/greet calls itself hello, not greeting") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// The example of README.md, word by word.
func TestTheReadmeExample(t *testing.T) {
	if testing.Short() {
		if os.Getenv("REQUIRE_INTEGRATION") == "1" {
			t.Fatal("REQUIRE_INTEGRATION=1 does not go with -short")
		}
		t.Skip("links a whole server; not with -short")
	}
	// With the cgo setting of this test run most packages are compiled already.
	cgo, err := exec.Command("go", "env", "CGO_ENABLED").Output()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("CGO_ENABLED", strings.TrimSpace(string(cgo)))
	readme, dir := read(t, "README.md"), t.TempDir()
	files := regexp.MustCompile("(?s)\n`(hello/[a-z.]+)`:\n\n```[a-z]*\n(.*?)```").FindAllStringSubmatch(readme, -1)
	commands := regexp.MustCompile("(?s)```sh\n(.*?)```").FindStringSubmatch(readme)
	if len(files) != 2 || commands == nil {
		t.Fatal("README.md has lost its example")
	}
	for _, f := range files {
		write(t, filepath.Join(dir, f[1]), f[2])
	}
	// In a checkout the two folders would lie in its root.
	inTemp := strings.NewReplacer("./hello", filepath.Join(dir, "hello"), "./dist/", dir+"/dist/", "dist/", dir+"/dist/")
	var printed []string
	for line := range strings.Lines(commands[1]) {
		args := strings.Fields(inTemp.Replace(line))
		if strings.HasPrefix(line, "go run ./generator ") {
			if code, _, stderr := generator(t, args[3:]...); code != exitOK {
				t.Fatalf("%s: exit %d: %s", line, code, stderr)
			}
			continue
		}
		out, err := exec.CommandContext(t.Context(), args[0], args[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v: %s", line, err, out)
		}
		printed = append(printed, string(out))
	}
	if len(printed) != 2 || !strings.HasSuffix(printed[0], "\nhello\n") || !strings.Contains(printed[1], "coredhcp") {
		t.Errorf("printed %q", printed)
	}
}
