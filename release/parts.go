package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
)

// part is a module, or Go itself, that a program contains.
type part struct {
	path, version string
	sum           string // of go.sum; empty for Go itself
	texts         []text // licence and notices
}

type text struct{ name, content string }

// legal are the names of files that say what may be done with a module.
var legal = regexp.MustCompile(`(?i)^(licen[cs]e|copying|notice|patents|authors|copyright|unlicense)`)

// partsOf finds the modules in a program, by what the linker wrote into it, and
// their licences in the module cache. A module without a licence is an error (PK-6).
func partsOf(ctx context.Context, info *debug.BuildInfo) ([]part, error) {
	args := []string{"list", "-m", "-json"}
	for _, m := range info.Deps {
		if m.Replace != nil {
			return nil, fmt.Errorf("%s is replaced; a release has what go.mod says", m.Path)
		}
		args = append(args, m.Path)
	}
	out, err := exec.CommandContext(ctx, "go", args...).Output()
	if err != nil {
		return nil, fmt.Errorf("go list -m: %w", err)
	}
	folders := make(map[string]string)
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var m struct{ Path, Dir string }
		if err := decoder.Decode(&m); err != nil {
			return nil, err
		}
		folders[m.Path] = m.Dir
	}
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, err
	}
	parts := []part{{path: "std", version: strings.TrimPrefix(info.GoVersion, "go")}}
	folders["std"] = strings.TrimSpace(string(root))
	for _, m := range info.Deps {
		parts = append(parts, part{path: m.Path, version: m.Version, sum: m.Sum})
	}
	for i := range parts {
		if parts[i].texts, err = texts(folders[parts[i].path]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", parts[i].path, parts[i].version, err)
		}
	}
	return parts, nil
}

// texts reads the licence and the notices of a module.
func texts(folder string) ([]text, error) {
	files, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var list []text
	for _, f := range files {
		if f.IsDir() || !legal.MatchString(f.Name()) || strings.HasSuffix(f.Name(), ".go") {
			continue
		}
		content, err := os.ReadFile(filepath.Join(folder, f.Name()))
		if err != nil {
			return nil, err
		}
		list = append(list, text{f.Name(), string(content)})
	}
	if !slices.ContainsFunc(list, func(t text) bool { return !strings.HasPrefix(strings.ToLower(t.name), "authors") }) {
		return nil, fmt.Errorf("no licence in its folder")
	}
	return list, nil
}

// thirdParty is one text with all licences.
func thirdParty(name string, parts []part) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s contains these modules of others. The text of each licence follows.\n\n", name)
	for _, p := range parts {
		fmt.Fprintf(&b, "  %s %s\n", p.path, p.version)
	}
	for _, p := range parts {
		for _, t := range p.texts {
			fmt.Fprintf(&b, "\n%s\n%s %s: %s\n%s\n\n%s\n", strings.Repeat("=", 80), p.path, p.version, t.name, strings.Repeat("=", 80), strings.TrimSpace(t.content))
		}
	}
	return b.Bytes()
}

// bill is the list of parts of a program as CycloneDX, without the time of the
// build and without a random number (PK-5).
func (b *build) bill(t tree, info *debug.BuildInfo, parts []part) ([]byte, error) {
	url := "pkg:golang/" + version.Module + "@v" + b.version
	list := cdx.NewBOM()
	list.Metadata = &cdx.Metadata{
		Timestamp: b.date.Format("2006-01-02T15:04:05Z"),
		Component: &cdx.Component{
			BOMRef: url, Type: cdx.ComponentTypeApplication, Name: t.name, Version: b.version, PackageURL: url,
			Licenses:   &cdx.Licenses{{License: &cdx.License{ID: "MIT"}}},
			Properties: &[]cdx.Property{{Name: "go:arch", Value: t.arch}, {Name: "go:version", Value: info.GoVersion}},
		},
	}
	var components []cdx.Component
	var refs []string
	for _, p := range parts {
		ref := "pkg:golang/" + p.path + "@" + p.version
		c := cdx.Component{BOMRef: ref, Type: cdx.ComponentTypeLibrary, Name: p.path, Version: p.version, PackageURL: ref}
		if p.sum != "" {
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: p.sum}}
		}
		components, refs = append(components, c), append(refs, ref)
	}
	list.Components = &components
	list.Dependencies = &[]cdx.Dependency{{Ref: url, Dependencies: &refs}}
	var out bytes.Buffer
	err := cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).Encode(list)
	return out.Bytes(), err
}
