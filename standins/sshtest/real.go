package sshtest

import "testing"

// daemon is Debian's sshd behind the gate.
type daemon struct{}

func (d *daemon) restart(tb testing.TB, s *Server) { tb.Helper() }

// rewrite tells sshd which keys may log in.
func (s *Server) rewrite(tb testing.TB) { tb.Helper() }
