//go:build unix && !linux

package cli

import "syscall"

// lowerPriority makes the process nice.
func lowerPriority() error { return syscall.Setpriority(syscall.PRIO_PROCESS, 0, lowNice) }
