package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a server under load, on a core of its own.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  string
	done chan error
}

// pin ties a process (0: this one) to one processor.
func pin(pid, cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	if pid != 0 {
		return unix.SchedSetaffinity(pid, &set)
	}
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := unix.SchedSetaffinity(tid, &set); err != nil && !errors.Is(err, unix.ESRCH) {
			return err
		}
	}
	return nil
}

// startProcess runs a server on core 0 and waits until it says that it serves.
func startProcess(ctx context.Context, folder, name, addr string, command ...string) (*process, error) {
	log := filepath.Join(folder, name+".out")
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	cmd := exec.Command("taskset", append([]string{"-c", "0"}, command...)...) // ended by end
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stdout, cmd.Stderr = file, file
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addr: addr, log: log, done: make(chan error, 1)}
	go func() { p.done <- cmd.Wait() }()
	return p, p.ready(ctx)
}

// ready asks until the server answers.
func (p *process) ready(ctx context.Context) error {
	l, err := newLoad(p.addr, 1)
	if err != nil {
		return err
	}
	defer l.close()
	for {
		s, err := l.shoot(ctx, 20, 100*time.Millisecond)
		if err != nil {
			return err
		}
		if s.done > 0 {
			return nil
		}
		select {
		case err := <-p.done:
			p.done <- err
			text, _ := os.ReadFile(p.log) // says why; may be missing
			return fmt.Errorf("did not start (%w):\n%s", err, text)
		default:
		}
	}
}

// end stops the server.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case err := <-p.done:
		if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && !exit.Exited() {
			return nil // the stub has no orderly end
		}
		return err
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("did not stop within 10 s"), p.cmd.Process.Kill())
	}
}

// cpu is the processor time used so far, in ticks of 10 ms.
func (p *process) cpu() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	user, _ := strconv.ParseInt(fields[11], 10, 64)   // the kernel's own number
	system, _ := strconv.ParseInt(fields[12], 10, 64) // the kernel's own number
	return time.Duration(user+system) * 10 * time.Millisecond
}

// residentK is the memory in use, in KiB.
func (p *process) residentK() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			k, _ := strconv.ParseInt(strings.Fields(value)[0], 10, 64) // the kernel's own number
			return k
		}
	}
	return 0
}
