package launch

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

func TestWhichBootFilesComeFromHere(t *testing.T) {
	local := map[netip.Addr]bool{netip.MustParseAddr("10.0.0.2"): true}
	for name, tt := range map[string]struct {
		service settings.BootService
		config  ipam.Config
		want    []string
	}{
		"TFTP of this machine":     {settings.BootService{TFTPListen: ":69"}, ipam.Config{TFTPServer: "10.0.0.2", PXEBootFile: "a", UEFIBootFile: "b", BootFiles: map[uint16]string{11: "c", 7: "b"}}, []string{"a", "b", "c"}},
		"TFTP of another":          {settings.BootService{TFTPListen: ":69"}, ipam.Config{TFTPServer: "10.0.0.3", PXEBootFile: "a"}, nil},
		"a name":                   {settings.BootService{TFTPListen: ":69"}, ipam.Config{TFTPServer: "boot.example.org", PXEBootFile: "a"}, nil},
		"no TFTP here":             {settings.BootService{HTTPListen: ":80"}, ipam.Config{TFTPServer: "10.0.0.2", PXEBootFile: "a"}, nil},
		"HTTP of this machine":     {settings.BootService{HTTPListen: ":8069"}, ipam.Config{HTTPBootURL: "http://10.0.0.2:8069/d/a%20b.efi", IPXEBootFile: "http://10.0.0.2:8069/menu"}, []string{"/d/a b.efi", "/menu"}},
		"HTTP at the usual port":   {settings.BootService{HTTPListen: "10.0.0.2:80"}, ipam.Config{HTTPBootURL: "http://10.0.0.2/a"}, []string{"/a"}},
		"HTTP at another port":     {settings.BootService{HTTPListen: ":8069"}, ipam.Config{HTTPBootURL: "http://10.0.0.2/a"}, nil},
		"HTTPS is another service": {settings.BootService{HTTPListen: ":443"}, ipam.Config{HTTPBootURL: "https://10.0.0.2/a"}, nil},
		"a URL is no file by TFTP": {settings.BootService{TFTPListen: ":69"}, ipam.Config{TFTPServer: "10.0.0.2", IPXEBootFile: "ftp://10.0.0.2/a"}, nil},
	} {
		if diff := cmp.Diff(tt.want, newHere(tt.service, local).files(&tt.config)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestCheckNamesMissingBootFilesAndMachines(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("inventory.yml", `
prefixes: [{prefix: 10.0.0.0/24}]
devices:
  - {name: web1, config_context: {pydhcp_configuration: {tftp_server: 127.0.0.1, pxe_boot_file: there, uefi_boot_file: ../secret}}}
  - {name: web2, config_context: {pydhcp_configuration: {tftp_server: 127.0.0.1, pxe_boot_file: gone}}}
  - {name: web3, config_context: {pydhcp_configuration: {tftp_server: 127.0.0.1, pxe_boot_file: gone, uefi_boot_file: there}}}
  - {name: web4, config_context: {pydhcp_configuration: {tftp_server: 192.0.2.1, pxe_boot_file: elsewhere}}}
`)
	s := settings.Defaults()
	s.Inventory = filepath.Join(dir, "inventory.yml")
	s.BootService.Folder = filepath.Join(dir, "boot")
	var out strings.Builder
	if err := checkBootFiles(&out, s); err == nil || !strings.Contains(out.String(), "failure  netbox.boot_service.folder: ") {
		t.Errorf("no folder: %v, %s", err, out.String())
	}
	if err := os.Mkdir(s.BootService.Folder, 0o700); err != nil {
		t.Fatal(err)
	}
	write("boot/there", "")
	out.Reset()
	if err := checkBootFiles(&out, s); err != nil {
		t.Fatal(err)
	}
	want := "warning  boot file \"../secret\", for device web1: not a name of a boot file\n" +
		"warning  boot file \"gone\", for device web2 and 1 more: no such boot file\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
	write("boot/gone", "")
	s.Inventory, s.URL, s.Store.Path = "", "https://netbox.example.org", dir
	out.Reset()
	if err := checkBootFiles(&out, s); err != nil || !strings.Contains(out.String(), "once the server has run") {
		t.Errorf("nothing known yet: %v, %s", err, out.String())
	}
	s.BootService.Folder = ""
	out.Reset()
	if err := checkBootFiles(&out, s); err != nil || out.String() != "" {
		t.Errorf("switched off: %v, %s", err, out.String())
	}
}
