//go:build linux

package scenario

import "testing"

func editsReachTheClient(t *testing.T, l *lab) {}
func netboxOutage(t *testing.T, l *lab)        {}
func killedAtTheAck(t *testing.T, l *lab)      {}
func declinedAddress(t *testing.T, l *lab)     {}
func administratorsDay(t *testing.T, l *lab)   {}
