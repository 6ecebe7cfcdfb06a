package program

import (
	"encoding/xml"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// C-20: a saved snapshot answers as the server that it was taken from, also where rows
// vanished from NetBox, are doubted, or where names of the settings lead elsewhere.
func TestSavedSnapshotsAnswerAlike(t *testing.T) {
	for name, change := range map[string]func(*office){
		"all is well": func(*office) {},
		"addresses are lost": func(o *office) {
			o.see(map[string][]int64{"ipam.ipaddress": o.ids("ipam/ip-addresses", "lab 10.77.0.1/20")})
		},
		"a deletion is doubted": func(o *office) {
			for _, id := range o.ids("ipam/ip-addresses", "lab 10.77.0.10/20", "lab 10.77.0.11/20", "lab 10.77.0.12/20", "lab 10.77.0.13/20", "lab 10.77.0.14/20") {
				o.netbox.Delete(o.t, "ipam/ip-addresses", id)
			}
		},
		"a tag is renamed": func(o *office) {
			o.netbox.Edit(o.t, "extras/tags", o.seeded.ID(o.t, "extras/tags", "DHCP"), map[string]any{"name": "Pool", "slug": "pool"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			change(o)
			o.polled()
			o.restart("NetBox read")
			saved := filepath.Join(filepath.Dir(o.conf), "now.snapshot")
			told(t, 0, "from the running server", "snapshot", "save", saved, "-c", o.conf)
			cases := "snapshot: now.snapshot\nleases: current\ncases:\n"
			for _, mac := range []net.HardwareAddr{hostMAC(0), mac(0), mac(99)} {
				for _, more := range [][]string{nil, {"--message", "init-reboot", "--request", "10.77.0.10"}, {"--message", "init-reboot", "--request", "10.99.0.1"}} {
					said, _ := o.explains(mac, more...)
					cases += policyOf(mac, more, said)
				}
			}
			file := filepath.Join(filepath.Dir(o.conf), "cases.yml")
			write(t, file, cases)
			told(t, 0, "9 passed", "test", file, "-c", o.conf)
		})
	}
}

// policyOf is a policy test that wants what explain said.
func policyOf(mac net.HardwareAddr, more []string, said explanation) string {
	message, request, expect := "discover", "", "rule: "+said.Rule
	if len(more) > 0 {
		message, request = more[1], ", request: "+more[3]
	}
	switch said.Verdict {
	case "OFFER", "ACK":
		address, _, _ := strings.Cut(said.Address, "/")
		expect += ", address: " + address
	case "NAK":
		expect += ", nak: true"
	default:
		expect += ", silence: true, reason: " + said.Reason
	}
	name := mac.String()[9:] + " " + message + strings.TrimPrefix(request, ", request:")
	return "  - {name: \"" + name + "\", mac: \"" + mac.String() + "\", relay: 10.77.0.1, server_id: 127.0.0.1, message: " + message + request + ", expect: {" + expect + "}}\n"
}

// C-25: the example passes as it is, and leaves nothing behind; a case that fails says
// why, in each format, with exit code 1.
func TestTheExampleOfPolicyTestsPasses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"config.yml.example", "inventory.yml.example", "cases.yml.example"} {
		text, err := os.ReadFile("../../" + name)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	conf, cases := filepath.Join(dir, "config.yml.example"), filepath.Join(dir, "cases.yml.example")
	before := tree(t, dir)
	told(t, 0, "9 passed, 0 failed", "test", cases, "-c", conf)
	if tree(t, dir) != before {
		t.Error("a test left something behind")
	}
	text, err := os.ReadFile(cases)
	if err != nil {
		t.Fatal(err)
	}
	write(t, cases, strings.Replace(string(text), "address: 10.0.0.10,", "address: 10.0.0.99,", 1))
	told(t, 1, "FAIL  srv1 has the address of its bond, and the gateway\n      address: want 10.0.0.99, got 10.0.0.10/24 (static)\n", "test", cases, "-c", conf)
	told(t, 1, "not ok 1 - srv1", "test", cases, "-c", conf, "--format", "tap")
	var report struct {
		Failures int `xml:"failures,attr"`
	}
	if err := xml.Unmarshal([]byte(told(t, 1, "", "test", cases, "-c", conf, "--format", "junit")), &report); err != nil || report.Failures != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	for want, text := range map[string]string{
		"cases.yml.example:2: cases[0].mac: want a hardware address": "cases:\n  - {name: a, mac: x, relay: 10.0.0.1, expect: {nak: true}}\n",
		"cases[0].message: want one of":                              "cases:\n  - {name: a, mac: \"52:54:00:00:00:01\", relay: 10.0.0.1, message: hello, expect: {nak: true}}\n",
		"cases[0].message: where is the client?":                     "cases:\n  - {name: a, mac: \"52:54:00:00:00:01\", expect: {nak: true}}\n",
		"cases[0].options.clas: no option has this name":             "cases:\n  - {name: a, mac: \"52:54:00:00:00:01\", relay: 10.0.0.1, options: {clas: b}, expect: {nak: true}}\n",
		"cases[0].arch: want bios":                                   "cases:\n  - {name: a, mac: \"52:54:00:00:00:01\", relay: 10.0.0.1, arch: arm, expect: {nak: true}}\n",
		"none.snapshot":                                              "snapshot: none.snapshot\ncases:\n  - {name: a, mac: \"52:54:00:00:00:01\", relay: 10.0.0.1, expect: {nak: true}}\n",
	} {
		write(t, cases, text)
		told(t, 64, want, "test", cases, "-c", conf)
	}
	told(t, 64, "--format", "test", cases, "-c", conf, "--format", "html")
}

// The commands of the page about changes and policy tests work as they stand there.
func TestThePageHowToTryAChangeIsRight(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, sections, found := strings.Cut(string(page), "\n## Try a change of NetBox before you make it\n")
	sections, _, _ = strings.Cut(sections, "\n## What happens when\n")
	if !found {
		t.Fatal("no such section")
	}
	conf, _ := lab(t, site)
	dir := filepath.Dir(conf)
	edited := strings.Replace(site, "10.77.0.11/20", "10.77.0.99/20", 1)
	write(t, filepath.Join(dir, "edited.yml"), edited)
	inventory := filepath.Join(dir, "inventory.yml")
	write(t, inventory, edited)
	told(t, 0, "", "snapshot", "save", filepath.Join(dir, "after.snapshot"), "-c", conf)
	write(t, inventory, site)
	capture := record(t, relayed(t, 0, hostMAC(1), 1))
	names := strings.NewReplacer("config.yml.example", "../../config.yml.example", "cases.yml.example", "../../cases.yml.example", "inventory.yml.example", "../../inventory.yml.example",
		"before.snapshot", filepath.Join(dir, "before.snapshot"), "after.snapshot", filepath.Join(dir, "after.snapshot"), "clients.pcap", capture,
		"netbox.snapshot", filepath.Join(dir, "after.snapshot"), "config.yml", conf)
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(sections, -1) {
		for line := range strings.Lines(block[1]) {
			command, _, _ := strings.Cut(line, "#")
			command, _, _ = strings.Cut(command, ">")
			words := strings.Fields(names.Replace(command))
			if len(words) < 2 || words[0] != "coredhcp-netbox" {
				t.Errorf("%q is no command of this program", line)
				continue
			}
			code := 0
			if strings.Contains(command, "after.snapshot") { // which differs
				code = 1
			}
			if words[1] == "replay" {
				words = append(words, "--server-id", "10.77.0.2")
			}
			told(t, code, "", words[1:]...)
			ran++
		}
	}
	if ran < 9 {
		t.Errorf("only %d commands", ran)
	}
	_, ci, _ := strings.Cut(sections, "script:\n    - coredhcp-netbox ")
	ci, _, _ = strings.Cut(ci, " >")
	write(t, filepath.Join(dir, "cases.yml"), "cases:\n  - {name: web1, mac: \"52:54:00:aa:00:01\", relay: 10.77.0.1, expect: {address: 10.77.0.99}}\n")
	args := strings.Fields(strings.NewReplacer("cases.yml", filepath.Join(dir, "cases.yml"), "netbox.snapshot", filepath.Join(dir, "after.snapshot"), "config.yml", conf).Replace(ci))
	told(t, 0, `failures="0"`, args...)
}
