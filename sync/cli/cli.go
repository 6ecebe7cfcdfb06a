// Package cli is the command line of netbox-dhcp-sync: it reads flags and
// settings, asks people, prints, and turns what came of a run into an exit
// code. It must not decide what is written, and talks to NetBox and Windows
// servers only through the packages below it.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
)

// Exit codes (decisions.md 6).
const (
	exitOK      = 0
	exitFailed  = 1  // finished with errors
	exitDiffers = 2  // plan and drift, with --detailed-exitcode
	exitLocked  = 3  // another run is at work; a run says so itself, as it does 4
	exitGuard   = 4  // a guard refused
	exitUsage   = 64 // the command line, the settings, or NetBox is not prepared
)

// Main carries out the command that args name and returns the exit code.
// SIGINT and SIGTERM end a run between two writes; the second one ends the
// program at once.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	p := &program{stdin: os.Stdin, stdout: stdout, screen: &screen{out: stderr}, terminal: isTerminal}
	return p.run(ctx, args)
}

// program is what all commands share.
type program struct {
	stdin    io.Reader
	stdout   io.Writer
	screen   *screen               // stderr: log, questions, progress
	terminal func(stream any) bool // is a person there?

	conf      string
	quiet     bool
	verbose   int
	logFormat string
}

func (p *program) run(ctx context.Context, args []string) int {
	root := p.rootCommand()
	root.SetArgs(args)
	root.SetOut(p.stdout)
	root.SetErr(p.screen)
	err := root.ExecuteContext(ctx)
	p.screen.endProgress()
	code := exitCode(err)
	if text := message(err); text != "" {
		fmt.Fprintln(p.screen, text)
	}
	return code
}

// usageError is an error about the command line or the settings.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// exit ends a command with a code. Without err everything is said already.
type exit struct {
	code int
	err  error
}

func (e exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e exit) Unwrap() error { return e.err }

func exitCode(err error) int {
	var (
		ended      exit
		usage      usageError
		problems   settings.Problems
		unprepared *mirror.NotPreparedError
	)
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &ended):
		return ended.code
	case errors.As(err, &usage), errors.As(err, &problems), errors.As(err, &unprepared):
		return exitUsage
	}
	return exitFailed
}

// message is what is said about an error at the end, safe for a terminal;
// empty if all is said.
func message(err error) string {
	var ended exit
	if err == nil || errors.As(err, &ended) && ended.err == nil {
		return ""
	}
	var problems settings.Problems
	text := "netbox-dhcp-sync: " + err.Error()
	if errors.As(err, &problems) {
		text = problems.Error() // each line names file and line
	}
	return safeLines(text)
}

// safeLines makes text of several lines safe to look at.
func safeLines(text string) string {
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = printable.Text(lines[i])
	}
	return strings.Join(lines, "\n")
}
