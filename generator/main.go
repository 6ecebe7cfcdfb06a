// Generator makes custom CoreDHCP programs: from a list of plugins it writes a
// complete Go module that calls package launch with them, pins every version,
// and builds it on request. It knows plugins by name and import path only, and
// writes nowhere but where it is told to.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"
)

//go:generate go run . --main ../cmd/coredhcp-netbox/main.go

// Exit codes (E-1).
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 64
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is what exitUsage is for.
type usageError struct{ error }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	err := generate(ctx, args, stdout, stderr)
	var usage usageError
	switch {
	case err == nil, errors.Is(err, pflag.ErrHelp):
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(stderr, err)
		return exitUsage
	}
	fmt.Fprintln(stderr, "generator:", err)
	return exitFailed
}

// request is the command line.
type request struct {
	out, module, from, main string
	replace                 []string
	noTidy, build, check    bool
	plugins                 []string
}

func parseFlags(args []string, stderr io.Writer) (request, error) {
	var r request
	flags := pflag.NewFlagSet("generator", pflag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&r.out, "out", "dist/custom", "folder of the module to write")
	flags.StringVar(&r.module, "module", "", "module path; its last element names the program (default: the last element of --out)")
	flags.StringVar(&r.from, "from", "", "plugin list (default: that of coredhcp-netbox)")
	flags.StringArrayVar(&r.replace, "replace", nil, "MODULE=DIR: take a module from a folder; repeatable")
	flags.BoolVar(&r.noTidy, "no-tidy", false, "complete go.mod and go.sum only as far as --build needs it; for work without network")
	flags.BoolVar(&r.build, "build", false, "build the program too")
	flags.StringVar(&r.main, "main", "", "write only this main.go, for a program inside a module")
	flags.BoolVar(&r.check, "check", false, "with --main: compare instead of writing; exit 1 if different")
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: generator [flags] [name:import/path[@version] ...]\n\n%s", flags.FlagUsages())
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			return r, err
		}
		return r, usageError{err}
	}
	r.plugins = flags.Args()
	if r.check && r.main == "" {
		return r, usageError{errors.New("--check needs --main")}
	}
	switch {
	case r.module != "":
	case r.main != "":
		r.module = self
	default:
		r.module = filepath.Base(r.out)
	}
	return r, nil
}

func generate(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	r, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	m := &module{Module: r.module}
	if err := r.fill(m); err != nil {
		return usageError{err}
	}
	if r.main != "" {
		return r.mainOnly(m)
	}
	checkout, err := m.findSelf(ctx)
	if err != nil {
		return usageError{err}
	}
	if err := m.write(r.out, checkout); err != nil {
		return fmt.Errorf("write the module: %w", err)
	}
	fmt.Fprintf(stdout, "wrote %s with %d plugins\n", r.out, len(m.list))
	if err := m.pin(ctx, r.out, !r.noTidy, stderr); err != nil {
		return err
	}
	if !r.build {
		return nil
	}
	program, err := m.build(ctx, r.out, stderr)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "built %s\n", program)
	return nil
}

// fill reads replacements and plugin lists into m, and reports everything that
// is wrong with them at once.
func (r request) fill(m *module) error {
	var errs []error
	for _, text := range r.replace {
		name, dir, ok := strings.Cut(text, "=")
		if dir != "" {
			dir, _ = filepath.Abs(dir)
		}
		if !ok || name == "" || dir == "" {
			errs = append(errs, fmt.Errorf("--replace %s: want MODULE=DIR", text))
			continue
		}
		m.Replace = append(m.Replace, replacement{name, dir})
	}
	text, name := defaultList, "plugins.cfg"
	if r.from != "" {
		b, err := os.ReadFile(r.from)
		if err != nil {
			return err
		}
		text, name = string(b), r.from
	}
	fromFile, err := parseList(text, name)
	errs = append(errs, err)
	fromArgs, err := parseArguments(r.plugins)
	errs = append(errs, err)
	m.list = append(fromFile, fromArgs...)
	return errors.Join(append(errs, checkList(m.list, m.provides))...)
}

// mainOnly writes main.go alone, or compares it with what is there.
func (r request) mainOnly(m *module) error {
	text, err := m.mainFile()
	if err != nil {
		return err
	}
	if !r.check {
		return os.WriteFile(r.main, text, 0o644)
	}
	have, err := os.ReadFile(r.main)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, text) {
		return fmt.Errorf("%s is not what the plugin list makes: run `go generate ./generator`", r.main)
	}
	return nil
}

// findSelf settles which version of our own module the program uses: the
// generator's own, or if that is not a released one the checkout it is run in,
// whose folder is returned.
func (m *module) findSelf(ctx context.Context) (checkout string, err error) {
	m.SelfVersion = "v0.0.0-00010101000000-000000000000"
	for _, r := range m.Replace {
		if r.Module == self {
			return r.Dir, nil
		}
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Path == self && strings.HasPrefix(info.Main.Version, "v") && !strings.Contains(info.Main.Version, "+") {
		m.SelfVersion = info.Main.Version
		return "", nil
	}
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Path}} {{.Dir}}").Output()
	path, dir, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
	if err != nil || path != self {
		return "", fmt.Errorf("run this inside a checkout of %s, or give --replace %s=DIR", self, self)
	}
	m.Replace = append(m.Replace, replacement{self, dir})
	return dir, nil
}
