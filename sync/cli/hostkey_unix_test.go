//go:build unix

package cli

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
)

// rule 3.8 point 26: a host key that root trusts can be read by the user of the service.
func TestAHostKeyThatRootTrustsBelongsToTheService(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can write for another user")
	}
	s := imported(t, syncs)
	server := overSSH(t, s, "")
	const user = 59068
	state := filepath.Join(s.Folder, s.StateDir)
	if err := os.Chown(state, user, user); err != nil {
		t.Fatal(err)
	}
	s.expect(exit.OK, "cert", "trust", "dh1.corp.example", "--fingerprint", server.Fingerprint())
	for _, name := range []string{"certificates", filepath.Join("certificates", "known_hosts")} {
		info, err := os.Stat(filepath.Join(state, name))
		if err != nil {
			t.Fatal(err)
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || stat.Uid != user || stat.Gid != user {
			t.Errorf("%s belongs to %+v", name, info.Sys())
		}
	}
}
