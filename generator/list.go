package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// plugin is one line of a plugin list.
type plugin struct {
	Name   string // as in config.yml
	Import string // path of the package
	// Version is what `go get` is asked for; "" for packages of our own modules.
	Version string

	where string // "plugins.cfg:7", for messages
}

var errLine = errors.New("want name:import/path or name:import/path@version")

// Names are keys of a YAML file that CoreDHCP reads in lower case (F-8).
const (
	namePattern    = `[a-z][a-z0-9_-]*`
	importPattern  = `[A-Za-z0-9][A-Za-z0-9._~+-]*(?:/[A-Za-z0-9_~+-][A-Za-z0-9._~+-]*)*`
	versionPattern = `[A-Za-z0-9][A-Za-z0-9._+/-]*`
)

// parseLine reads one line without its comment.
func parseLine(text, where string) (plugin, error) {
	line := regexp.MustCompile(`^(` + namePattern + `):(` + importPattern + `)(?:@(` + versionPattern + `))?$`)
	m := line.FindStringSubmatch(text)
	if m == nil {
		return plugin{}, fmt.Errorf("%s: %q: %w", where, text, errLine)
	}
	return plugin{Name: m[1], Import: m[2], Version: m[3], where: where}, nil
}

// parseList reads a plugin list; file is its name in messages. Everything from
// a # at the start of a word on is a comment.
func parseList(text, file string) ([]plugin, error) {
	var list []plugin
	var errs []error
	n := 0
	for line := range strings.Lines(text) {
		n++
		line, _, _ = strings.Cut(" "+line, " #")
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p, err := parseLine(line, fmt.Sprintf("%s:%d", file, n))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

// parseArguments reads plugins given on the command line.
func parseArguments(args []string) ([]plugin, error) {
	var list []plugin
	var errs []error
	for i, arg := range args {
		p, err := parseLine(arg, fmt.Sprintf("argument %d", i+1))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list = append(list, p)
	}
	return list, errors.Join(errs...)
}

// checkList finds what CoreDHCP would only complain about when it starts, with
// a panic (F-2): a name or a package used twice. provided tells which packages
// need no version because a known module has them.
func checkList(list []plugin, provided func(importPath string) bool) error {
	var errs []error
	if len(list) == 0 {
		errs = append(errs, errors.New("the plugin list is empty"))
	}
	names, imports := map[string]plugin{}, map[string]plugin{}
	for _, p := range list {
		if first, ok := names[p.Name]; ok {
			errs = append(errs, fmt.Errorf("%s: the name %s is already used for %s at %s", p.where, p.Name, first.Import, first.where))
		} else if first, ok := imports[p.Import]; ok {
			errs = append(errs, fmt.Errorf("%s: %s is already in the list as %s at %s", p.where, p.Import, first.Name, first.where))
		}
		names[p.Name], imports[p.Import] = p, p
		switch known := provided(p.Import); {
		case known && p.Version != "":
			errs = append(errs, fmt.Errorf("%s: the version of %s is fixed already: leave out @%s", p.where, p.Import, p.Version))
		case !known && p.Version == "":
			errs = append(errs, fmt.Errorf("%s: %s needs a version (%s:%s@v1.2.3) or a folder (--replace MODULE=DIR)", p.where, p.Import, p.Name, p.Import))
		}
	}
	return errors.Join(errs...)
}

// aliases gives every package an import name of its own, so that two that are
// called alike stand in one file (F-2).
func aliases(list []plugin) []string {
	var out []string
	used := map[string]bool{}
	for _, p := range list {
		base := "pl_" + strings.ReplaceAll(p.Name, "-", "_")
		alias := base
		for n := 2; used[alias]; n++ {
			alias = fmt.Sprintf("%s_%d", base, n)
		}
		used[alias] = true
		out = append(out, alias)
	}
	return out
}
