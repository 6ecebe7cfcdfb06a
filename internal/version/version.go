// Package version says which version a program of this project is. It must not
// read git, files or the network: a program knows what was built into it.
package version

import (
	"regexp"
	"runtime/debug"
	"strings"
)

// Module is the path of this module.
const Module = "github.com/coredhcp-netbox/coredhcp-netbox"

// unknown is the version of a program that nobody told anything.
const unknown = "0.0.0+unknown"

// stamped is what make puts in (release/version.sh), such as 1.2.3 or 0.0.0+COMMIT.
var stamped string //nolint:gochecknoglobals // the linker writes variables only

// String is the version of the running program, such as "1.2.3", or
// "0.0.0+fb54829b92a2" of a commit without a tag (PK-1).
func String() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return of(stamped, info)
}

// pseudo is a version that the go command made from a commit.
var pseudo = regexp.MustCompile(`^v.*[.-][0-9]{14}-([0-9a-f]{12})(\+dirty)?$`)

// of decides between what make stamped, and what the go command knows: the
// version of this module, or the commit of the checkout.
func of(stamped string, info *debug.BuildInfo) string {
	if stamped != "" {
		return stamped
	}
	version := moduleVersion(info, Module)
	if m := pseudo.FindStringSubmatch(version); m != nil {
		if strings.Trim(m[1], "0") == "" {
			return unknown // what the generator writes for a checkout
		}
		return "0.0.0+" + m[1] + strings.Replace(m[2], "+", ".", 1)
	}
	if number, ok := strings.CutPrefix(version, "v"); ok {
		return number
	}
	if info.Main.Path != Module {
		return unknown
	}
	commit, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			commit = s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	if commit == "" {
		return unknown
	}
	return "0.0.0+" + commit + dirty
}

// OfModule is the version of a module that is part of the running program, as
// its go.mod names it; "unknown" if it has none.
func OfModule(path string) string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if version := moduleVersion(info, path); version != "" {
			return version
		}
	}
	return "unknown"
}

func moduleVersion(info *debug.BuildInfo, path string) string {
	if info.Main.Path == path {
		return info.Main.Version
	}
	for _, dep := range info.Deps {
		if dep.Path == path {
			return dep.Version
		}
	}
	return ""
}
