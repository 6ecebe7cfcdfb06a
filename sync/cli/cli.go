// Package cli is the command line of netbox-dhcp-sync: it reads flags and
// settings, asks people, prints, and turns the outcome of a run into an exit
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

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/settings"
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

// Command is the command line of netbox-dhcp-sync, for those who describe it:
// manual pages, completions.
func Command() *cobra.Command {
	return (&program{stdout: io.Discard, screen: &screen{out: io.Discard}}).rootCommand()
}

// program is what all commands share.
type program struct {
	stdin    io.Reader
	stdout   io.Writer
	screen   *screen               // stderr: log, questions, progress
	terminal func(stream any) bool // whether a stream is a terminal

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

// ended ends a command with an exit code. Without err the reason was printed already.
type ended struct {
	code int
	err  error
}

func (e ended) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e ended) Unwrap() error { return e.err }

func exitCode(err error) int {
	var (
		end        ended
		usage      usageError
		problems   settings.Problems
		unprepared *mirror.NotPreparedError
		unmatched  *mirror.NoSuchScopeError
	)
	switch {
	case err == nil:
		return exit.OK
	case errors.As(err, &end):
		return end.code
	case errors.As(err, &usage), errors.As(err, &problems), errors.As(err, &unprepared), errors.As(err, &unmatched):
		return exit.Usage
	}
	return exit.Failed
}

// message is what is said about an error at the end, safe for a terminal;
// empty if all is said.
func message(err error) string {
	var end ended
	if err == nil || errors.As(err, &end) && end.err == nil {
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
