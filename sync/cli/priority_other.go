//go:build !unix

package cli

// lowerPriority does nothing: priorities are set where the task is scheduled.
func lowerPriority() error { return nil }
