// Program powershell stands for powershell.exe and pwsh.exe under a real sshd (sshtest.Real). It
// must do nothing that package sshtest does not.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
)

func main() {
	// It goes on to work when nobody reads what it writes any more.
	signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP)
	os.Exit(sshtest.Remote(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr, os.Getenv(sshtest.ControlVariable)))
}
