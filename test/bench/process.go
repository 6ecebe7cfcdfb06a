package main

import (
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

// process is a server under load.
type process struct {
	cmd  *exec.Cmd
	out  string // file of what it printed
	done chan error
}

// start runs a command on the host. What it prints goes to a file in folder.
func (h *host) start(folder string, command []string) (*process, error) {
	p := &process{out: filepath.Join(folder, "out"), done: make(chan error, 1)}
	file, err := os.Create(p.out)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // the server has its own copy
	p.cmd = exec.Command(command[0], command[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = folder, file, file
	p.cmd.Env = append(os.Environ(), "KEA_PIDFILE_DIR="+folder, "KEA_LOCKFILE_DIR="+folder)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	if err := h.do(p.cmd.Start); err != nil {
		return nil, err
	}
	go func() { p.done <- p.cmd.Wait() }()
	if h.nice != 0 {
		if _, err := niceSession(p.cmd.Process.Pid, h.nice); err != nil {
			return nil, errors.Join(err, p.end())
		}
	}
	return p, nil
}

// alive is an error once the server has ended.
func (p *process) alive() error {
	select {
	case err := <-p.done:
		p.done <- err
		return errors.Join(errors.New("the server ended"+p.printed()), err)
	default:
		return nil
	}
}

// printed is the end of what the server said.
func (p *process) printed() string {
	text, err := os.ReadFile(p.out)
	if err != nil || len(text) == 0 {
		return ""
	}
	return ":\n" + string(text[max(0, len(text)-2000):])
}

// end stops the server. Not all servers call an asked-for end a success.
func (p *process) end() error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has ended
	select {
	case <-p.done:
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(errors.New("the server did not stop within 10 s"), p.cmd.Process.Kill())
	}
}

// usage is what a program has used of its processors and of memory.
type usage struct {
	at            time.Time
	ran, waited   time.Duration // of all threads: on a processor, and ready but without one
	rssKB, peakKB float64
}

func usageOf(pid int) (u usage, err error) {
	folder := fmt.Sprintf("/proc/%d", pid)
	files, err := filepath.Glob(folder + "/task/*/schedstat")
	if err != nil {
		return u, err
	}
	u.at = time.Now()
	if u.ran, err = processClock(pid); err != nil {
		return u, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread has ended
		}
		waited, err := parseSchedstat(string(text))
		if err != nil {
			return u, fmt.Errorf("%s: %w", file, err)
		}
		u.waited += waited
	}
	status, err := os.ReadFile(folder + "/status")
	if err != nil {
		return u, err
	}
	u.rssKB, u.peakKB = statusKB(string(status), "VmRSS:"), statusKB(string(status), "VmHWM:")
	return u, nil
}

// processClock is the exact processor time of all threads of a process, also of
// those that have ended: the sum of what schedstat tells of each.
func processClock(pid int) (time.Duration, error) {
	const exact = 2 // CPUCLOCK_SCHED, as in clock_getcpuclockid(3)
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|exact), &ts); err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return time.Duration(ts.Nano()), nil
}

// parseSchedstat reads how long a thread was ready without a processor: the
// second of three numbers, in nanoseconds.
func parseSchedstat(text string) (waited time.Duration, err error) {
	var ran, slices int64
	_, err = fmt.Sscan(text, &ran, (*int64)(&waited), &slices)
	return waited, err
}

// statusKB reads one line of a process's status; 0 if it has none.
func statusKB(status, name string) float64 {
	for line := range strings.Lines(status) {
		if value, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(value)[0], 64) // the kernel's own number
			return kb
		}
	}
	return 0
}

// niceSession sets the niceness of the session of a process and returns what
// it was. The kernel shares processors between sessions first (sched(7),
// autogroup), and looks at single processes only within each.
func niceSession(pid, nice int) (before int, err error) {
	path := fmt.Sprintf("/proc/%d/autogroup", pid)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil // it shares between processes alone
	}
	if err != nil {
		return 0, err
	}
	if fields := strings.Fields(string(text)); len(fields) == 3 {
		before, err = strconv.Atoi(fields[2])
	}
	return before, errors.Join(err, os.WriteFile(path, []byte(strconv.Itoa(nice)), 0))
}

// claimSelf ties all threads of this process to one processor.
func claimSelf(nice, cpu int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		tid, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := claimThread(tid, nice, cpu); err != nil && !errors.Is(err, syscall.ESRCH) {
			return err
		}
	}
	return nil
}

// pause waits a moment unless the bench is to end.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
