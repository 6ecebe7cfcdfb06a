package openssh

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// A firewall that drops what comes is no slow server.
func TestAConnectionThatIsNotMadeIsUnreachable(t *testing.T) {
	e := failed(t.Context(), "", &net.OpError{Op: "dial", Net: "tcp", Err: context.DeadlineExceeded})
	if e.Kind != endpoint.Unreachable || !strings.Contains(e.Fix(), "Firewall") || e.Unsure() {
		t.Errorf("%v", e)
	}
	if e := failed(t.Context(), "", context.DeadlineExceeded); e.Kind != endpoint.TimedOut {
		t.Errorf("%v", e)
	}
	if e := failed(t.Context(), "", errors.New("ssh: disconnect, reason 2: too many authentication failures")); e.Kind != endpoint.LoginRefused || !strings.Contains(e.Fix(), "ssh.key_file") {
		t.Errorf("%v", e)
	}
}

// Numbers of Windows have a next step that no language changes.
func TestWhatWindowsSaysHasANextStep(t *testing.T) {
	for id, want := range map[string]string{"WIN32 5": "DHCP Users", "WIN32 1722": "Start-Service DHCPServer", "WIN32 1753": "Start-Service DHCPServer", "DHCP 20052": ""} {
		e := &endpoint.Error{Kind: endpoint.ServerError, Status: 500, ID: id}
		if got := (&Door{}).Fix(e); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
