package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// tree is the folder with all files of one program for one architecture, from
// which archives, packages and images are made.
type tree struct {
	product
	arch string
	root string
}

func (t tree) at(path ...string) string { return filepath.Join(append([]string{t.root}, path...)...) }

func (t tree) binary() string { return t.at("bin", t.name) }

// write makes a file of the tree, and its folder.
func (t tree) write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(t.at(path)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(t.at(path), text, 0o644)
}

// copy takes a file of the checkout, with words replaced.
func (t tree) copy(to, from string, replace ...string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return t.write(to, []byte(strings.NewReplacer(replace...).Replace(string(text))))
}

// stage makes a tree.
func (b *build) stage(ctx context.Context, t tree) error {
	if err := b.compile(ctx, t); err != nil {
		return err
	}
	info, err := buildinfo.ReadFile(t.binary())
	if err != nil {
		return err
	}
	modules, err := partsOf(ctx, info)
	if err != nil {
		return err
	}
	list, err := b.bill(t, info, modules)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return t.service() },
		func() error { return t.scripts() },
		func() error { return b.writePages(t.root, t.product) },
		func() error { return t.write("doc/"+t.name+".cdx.json", list) },
		func() error { return t.write("doc/THIRD-PARTY.gz", compressed(thirdParty(t.name, modules))) },
		func() error { return b.documents(t) },
		func() error { return b.fixTimes(t.root) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return os.WriteFile(b.file(t.product, t.arch, ".cdx.json"), list, 0o644)
}

// compile builds the program as a static file that does not know where it was built.
func (b *build) compile(ctx context.Context, t tree) error {
	if err := os.MkdirAll(filepath.Dir(t.binary()), 0o755); err != nil {
		return err
	}
	if b.program != "" {
		text, err := os.ReadFile(filepath.Join(b.program, t.name+"_linux_"+t.arch))
		if err != nil {
			return err
		}
		return os.WriteFile(t.binary(), text, 0o755)
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags", b.linkerFlags(), "-o", t.binary(), "./cmd/"+t.name)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+t.arch, "GOAMD64=v1", "GOARM64=v8.0", "GOFLAGS=-mod=readonly", "GOEXPERIMENT=", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build for %s: %w\n%s", t.arch, err, out)
	}
	return nil
}

// service stages what systemd reads, and the settings. Units name the folder of
// programs that are installed by hand; packages have theirs.
func (t tree) service() error {
	from := filepath.Join("deploy", t.folder)
	for _, unit := range t.units {
		if err := t.copy("units/"+unit, filepath.Join(from, unit), "/usr/local/bin/", "/usr/bin/"); err != nil {
			return err
		}
	}
	for to, name := range map[string]string{"sysusers.conf": t.name + ".sysusers", "tmpfiles.conf": t.name + ".tmpfiles", "config.yml": "config.yml"} {
		if err := t.copy(to, filepath.Join(from, name)); err != nil {
			return err
		}
	}
	if !t.raw {
		return nil
	}
	return t.copy("sysctl.conf", filepath.Join(from, "90-"+t.name+".conf"))
}

// scripts stages the maintainer scripts, with the names of this program.
func (t tree) scripts() error {
	users, err := os.ReadFile(filepath.Join("deploy", t.folder, t.name+".sysusers"))
	if err != nil {
		return err
	}
	names, err := filepath.Glob("deploy/packages/*.sh")
	if err != nil {
		return err
	}
	for _, from := range names {
		if err := t.copy("scripts/"+filepath.Base(from), from, "@PACKAGE@", t.name, "@UNITS@", strings.Join(t.units, " "),
			"@RESTART@", strings.Join(t.restart, " "), "@SYSUSERS@", strings.TrimSpace(string(users))); err != nil {
			return err
		}
	}
	return t.copy("nfpm.yaml", filepath.Join("deploy", "packages", t.name+".yaml"))
}

// documents stages pages, examples and the papers of a package.
func (b *build) documents(t tree) error {
	files := map[string]string{"doc/README.md": "README.md", "doc/examples/config.yml": "config.yml.example", "licenses/LICENSE": "LICENSE", "lintian": "deploy/packages/" + t.name + ".lintian"}
	for _, page := range t.docs {
		files["doc/"+page] = "docs/" + page
	}
	if t.raw {
		files["doc/examples/inventory.yml"] = "inventory.yml.example"
		for _, folder := range []string{"deploy/prometheus", "deploy/grafana"} {
			if err := addFolder(files, "doc/examples/"+filepath.Base(folder), folder); err != nil {
				return err
			}
		}
	}
	for to, from := range files {
		if err := t.copy(to, from); err != nil {
			return err
		}
	}
	licence, err := os.ReadFile("LICENSE")
	if err != nil {
		return err
	}
	if err := t.write("doc/copyright", []byte(copyright(t.name, string(licence)))); err != nil {
		return err
	}
	changes, err := os.ReadFile("CHANGELOG.md")
	if err != nil {
		return err
	}
	if err := t.write("doc/changelog.gz", compressed(changes)); err != nil {
		return err
	}
	entry := fmt.Sprintf("%s (%s-1) unstable; urgency=medium\n\n  * Built by make release. What changed stands in changelog.gz, what an upgrade\n    asks of you in packages.md.\n\n -- The coredhcp-netbox authors <coredhcp-netbox@users.noreply.github.com>  %s\n",
		t.name, packageVersion(b.version), b.date.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	return t.write("doc-deb/changelog.Debian.gz", compressed([]byte(entry)))
}

// addFolder adds the files of a folder, if there is one; tests and pages in it stay out.
func addFolder(files map[string]string, to, folder string) error {
	list, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	for _, f := range list {
		if !f.IsDir() && filepath.Ext(f.Name()) != ".go" {
			files[to+"/"+f.Name()] = filepath.Join(folder, f.Name())
		}
	}
	return nil
}

// copyright is Debian's form of LICENSE.
func copyright(name, licence string) string {
	head := "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\nUpstream-Name: " + name + "\nSource: https://" + version.Module + "\n" +
		"Comment: The program contains Go modules of others; THIRD-PARTY.gz beside this\n file names each with its version and has the text of its licence.\n\n" +
		"Files: *\nCopyright: 2026 The coredhcp-netbox authors\nLicense: Expat\n"
	_, text, _ := strings.Cut(licence, "authors\n\n")
	for line := range strings.Lines(text) {
		if line == "\n" {
			line = ".\n"
		}
		head += " " + line
	}
	return head
}

// fixTimes gives all files of a tree the time of the commit, and modes that do
// not depend on the umask of the build.
func (b *build) fixTimes(root string) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if d.IsDir() || filepath.Base(filepath.Dir(path)) == "bin" {
			mode = 0o755
		}
		if err := os.Chmod(path, mode); err != nil {
			return err
		}
		return os.Chtimes(path, b.date, b.date)
	})
}
