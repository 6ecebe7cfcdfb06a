package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/checkout"
)

// rules 13.7 and 13.8: the guide of deploy/ssh, command by command, from the key to the
// doctor, with Debian's sshd in the place of Windows. What stands in PowerShell there is
// done by the stand-in.
func TestTheGuideOfTheSSHDoorOnARealSSHD(t *testing.T) {
	text, err := os.ReadFile("../../deploy/ssh/README.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	s := imported(t, syncs)
	s.dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	server := sshtest.Real(t, sshtest.Config{Windows: s.dh1, Shell: sshtest.Shell{Accept: sshtest.Accept(t, deploy.Sums)}})
	folder := filepath.Dir(s.conf)
	server.Refuse(t, true) // until the key of the guide is there
	adapt := strings.NewReplacer("sudo ", "", "root:netbox-dhcp-sync", "root:root", "/etc/netbox-dhcp-sync", folder, "dh1.corp.example", s.dh1.Host(), "SHA256:...", server.Fingerprint())

	settings := regexp.MustCompile("(?s) *```yaml\n(.*?) *```").FindStringSubmatch(page)
	if settings == nil {
		t.Fatal("the guide shows no settings")
	}
	entry := strings.Replace(adapt.Replace(settings[1]), "user: netbox-dhcp ", "user: "+server.User+" ", 1)
	entry = strings.Replace(entry, "key_file: ", fmt.Sprintf("port: %d\n       key_file: ", server.Port), 1)
	conf, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	front, _, found := strings.Cut(string(conf), "  servers:\n")
	if !found {
		t.Fatalf("no servers in\n%s", conf)
	}
	s.conf = s.File("guide.yml", front+"  servers:\n"+entry)

	steps := 0
	for line, block := range checkout.ShellBlocks(page) {
		for command := range strings.Lines(adapt.Replace(block)) {
			command = strings.TrimSpace(command)
			steps++
			if args, ok := strings.CutPrefix(command, "netbox-dhcp-sync "); ok {
				s.expect(exit.OK, strings.Fields(args)...)
				continue
			}
			out, err := exec.CommandContext(t.Context(), "sh", "-ec", command).CombinedOutput()
			if err != nil {
				t.Fatalf("the block of line %d: %s: %v\n%s", line, command, err, out)
			}
			if key, _, _, _, err := ssh.ParseAuthorizedKey(out); err == nil {
				server.Refuse(t, false)
				server.Authorize(t, key)
			}
		}
	}
	if steps < 6 {
		t.Errorf("the guide has only %d commands", steps)
	}
	said := s.expect(exit.OK, "doctor")
	for _, want := range []string{"PowerShell 5.1", "rights", "its clock says", "the key is not bound"} {
		if !strings.Contains(said, want) {
			t.Errorf("doctor does not say %q:\n%s", want, said)
		}
	}
}
