//go:build linux

package netns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// stopWait is how long Stop lets a program end by itself.
const stopWait = 10 * time.Second

// Process is a program running in a namespace. It ends with the test at the latest.
type Process struct {
	cmd    *exec.Cmd
	output output
	done   chan struct{} // closed when the program has ended
	err    error         // of Wait, valid once done is closed
}

// Start runs a program that stays in the foreground. Its output is kept, and shown if the test
// fails.
func (ns *Namespace) Start(program string, args ...string) (*Process, error) {
	return ns.start(ns.Command(context.Background(), program, args...))
}

// StartWith is Start with more variables in the environment.
func (ns *Namespace) StartWith(environment []string, program string, args ...string) (*Process, error) {
	cmd := ns.Command(context.Background(), program, args...)
	cmd.Env = append(os.Environ(), environment...)
	return ns.start(cmd)
}

func (ns *Namespace) start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, done: make(chan struct{})}
	p.output.changed = make(chan struct{})
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdout, cmd.Stderr = write, write
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return nil, fmt.Errorf("start %s: %w", strings.Join(cmd.Args, " "), err)
	}
	go p.wait(read)
	ns.t.Cleanup(func() {
		if err := p.Stop(); err != nil {
			ns.t.Error(err)
		}
		if ns.t.Failed() {
			ns.t.Logf("%s:\n%s", strings.Join(cmd.Args, " "), p.Output())
		}
	})
	return p, nil
}

// wait collects the output and the end of the program, and ends the helpers it may leave behind.
func (p *Process) wait(pipe *os.File) {
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(&p.output, pipe) // the end of file when the last writer has gone
	}()
	p.err = p.cmd.Wait()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // ESRCH: it left no process
	<-copied
	pipe.Close()
	close(p.done)
}

// controls are what a program (firmware, above all) does to a terminal, and NUL.
var controls = regexp.MustCompile(`\x1b\[[0-9;?=]*[A-Za-z]|\x1bc|\x00`)

// Output is what the program has printed so far, standard output and error mixed, without what
// only moves a terminal's cursor.
func (p *Process) Output() string { return controls.ReplaceAllString(p.output.String(), "") }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// WaitOutput waits until the program has printed text. It fails if the program ends or ctx does.
func (p *Process) WaitOutput(ctx context.Context, text string) error {
	for {
		changed := p.output.next()
		if strings.Contains(p.Output(), text) {
			return nil
		}
		select {
		case <-changed:
		case <-p.done:
			if strings.Contains(p.Output(), text) {
				return nil
			}
			return fmt.Errorf("%s ended (%w) without printing %q: %s", p.cmd.Args[0], p.err, text, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("wait for %q of %s: %w: %s", text, p.cmd.Args[0], ctx.Err(), p.Output())
		}
	}
}

// PID is the program's process id; it may have ended.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// ExitCode is how the program ended, -1 if it has not or by a signal.
func (p *Process) ExitCode() int {
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	default:
		return -1
	}
}

// Signal sends a signal to the program.
func (p *Process) Signal(signal syscall.Signal) error {
	if err := p.cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("signal %v to %s: %w", signal, strings.Join(p.cmd.Args, " "), err)
	}
	return nil
}

// Stop ends the program by SIGTERM and waits until it has gone. How it ended is no error; that it
// had to be killed is.
func (p *Process) Stop() error { return p.end(syscall.SIGTERM) }

func (p *Process) end(signal syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	err := p.cmd.Process.Signal(signal)
	if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) { // it may end on its own meanwhile
		return fmt.Errorf("stop %s: %w", strings.Join(p.cmd.Args, " "), err)
	}
	timer := time.NewTimer(stopWait)
	defer timer.Stop()
	select {
	case <-p.done:
		return nil
	case <-timer.C:
	}
	_ = p.cmd.Process.Kill()
	<-p.done
	return fmt.Errorf("%s ignored %v for %v and was killed", strings.Join(p.cmd.Args, " "), signal, stopWait)
}

// output collects output and tells waiters that there is more.
type output struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at each write
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	close(o.changed)
	o.changed = make(chan struct{})
	return o.text.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *output) next() <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.changed
}
