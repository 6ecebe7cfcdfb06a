// Package server tests the files with which the DHCP server runs as a service. It
// must not install anything.
package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// analyzer finds the program that judges units.
func analyzer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "no systemd-analyze on this machine")
	}
	return path
}

// missing skips a test, or fails it where everything has to run.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_INTEGRATION") == "1" {
		t.Fatalf("REQUIRE_INTEGRATION=1, but %s", what)
	}
	t.Skip(what)
}

// The unit must be one that systemd takes without a word. The program it starts
// need not be installed here, so another stands in for it.
func TestSystemdLikesTheUnit(t *testing.T) {
	verify := analyzer(t)
	text, err := os.ReadFile("coredhcp-netbox.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "coredhcp-netbox.service")
	stands := strings.Replace(string(text), "/usr/local/bin/coredhcp-netbox", "/bin/true", 1)
	if err := os.WriteFile(unit, []byte(stands), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), verify, "verify", "--man=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "coredhcp-netbox.service:") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What the unit leaves open is what a DHCP server needs: networks, raw sockets. The
// threshold is in tenths; 100 is a service without any walls.
func TestTheUnitLeavesLittleOpen(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), analyzer(t), "security", "--offline=true", "--no-pager", "--threshold=25", "coredhcp-netbox.service").CombinedOutput()
	if strings.Contains(string(out), "unrecognized option") {
		missing(t, "systemd-analyze of this machine does not judge files (before version 250)")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// Pebble and TFTP keep many descriptors; the boot files take a quarter of the limit.
func TestTheUnitHasRoomForDescriptors(t *testing.T) {
	text, err := os.ReadFile("coredhcp-netbox.service")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\nLimitNOFILE=")
	value, _, _ := strings.Cut(rest, "\n")
	limit, err := strconv.Atoi(value)
	if !found || err != nil || limit < 16384 {
		t.Errorf("LimitNOFILE is %q, want 16384 or more", value)
	}
}

// S-15: whether a time service keeps the clock in step is asked with adjtimex, which the
// usual filter kills a program for.
func TestTheUnitLetsTheServerReadTheClock(t *testing.T) {
	text, err := os.ReadFile("coredhcp-netbox.service")
	if err != nil {
		t.Fatal(err)
	}
	unit := string(text)
	if !strings.Contains(unit, "\nSystemCallFilter=@system-service adjtimex\n") || strings.Contains(unit, "\nProtectClock=yes") || !strings.Contains(unit, "\nSystemCallErrorNumber=EPERM\n") {
		t.Error("the server is killed at its start, or does not know of its clock")
	}
}
