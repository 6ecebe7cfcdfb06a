package cli

import (
	"os"
	"strconv"
	"syscall"
)

// lowerPriority makes the process nice. On Linux that is a property of each
// thread, which new ones inherit.
func lowerPriority() error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, thread := range threads {
		id, err := strconv.Atoi(thread.Name())
		if err != nil {
			return err
		}
		if err := syscall.Setpriority(syscall.PRIO_PROCESS, id, lowNice); err != nil {
			return err
		}
	}
	return nil
}
