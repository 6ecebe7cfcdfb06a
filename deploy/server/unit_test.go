// Package server tests the files with which the DHCP server runs as a service. It
// must not install anything.
package server

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The unit must be one that systemd takes without a word. The program it starts
// need not be installed here, so another stands in for it.
func TestSystemdLikesTheUnit(t *testing.T) {
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("no systemd-analyze on this machine")
	}
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
