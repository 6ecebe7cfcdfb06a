//go:build linux

package boot

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/boot/capture"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// stage is one ACK and who asked for it.
type stage struct {
	Class    string // option 60 up to the architecture
	IPXE     bool
	Addr     netip.Addr
	Server   netip.Addr // siaddr
	File     string
	Answered string // class of the answer
}

// TestFirmware boots computers from the network, one after the other.,
//
func TestFirmware(t *testing.T) {
	l := newLab(t)
	t.Run("each firmware boots what NetBox says", func(t *testing.T) { firmwareBoots(t, l) })
	t.Run("GRUB finds its menu on either firmware", func(t *testing.T) { grubBoots(t, l) })
	t.Run("beside another DHCP server it gives boot data and no address", func(t *testing.T) { besideAnotherServer(t, l) })
	t.Run("the redeploy switch decides at the next boot", func(t *testing.T) { redeploySwitch(t, l) })
}

//
func firmwareBoots(t *testing.T, l *lab) {
	s := newSite(t, l)
	s.serve("{gate: 'off'}")
	files, web := host(near, serverHost), "http://10.60.1.1:8080"
	first := func(c computer, class, file string) stage {
		return stage{Class: class, Addr: c.addr().Addr(), Server: files, File: file, Answered: "PXEClient"}
	}
	script := func(c computer, class string) stage {
		return stage{Class: class, IPXE: true, Addr: c.addr().Addr(), Server: files, File: web + "/boot.ipxe", Answered: "PXEClient"}
	}
	bios, efi, efiHTTP, arm, armHTTP := find(t, "bios"), find(t, "efi"), find(t, "efi-http"), find(t, "arm64"), find(t, "arm64-http")
	for _, tt := range []struct {
		name     string
		computer computer
		firmware netns.Firmware
		reports  string // what iPXE says of itself; empty: the greeting is printed instead
		stages   []stage
	}{
		{"SeaBIOS, iPXE in ROM, iPXE by TFTP, script by HTTP", bios, netns.SeaBIOS(), "pcbios i386 undionly",
			// The second iPXE repeats option 60 of the last reply.
			[]stage{script(bios, "PXEClient:Arch:00000"), script(bios, "PXEClient")}},
		{"OVMF, iPXE by TFTP, script by HTTP", efi, netns.OVMF(netns.PXE), "efi x86_64 SNP",
			[]stage{first(efi, "PXEClient:Arch:00007", "ipxe.efi"), script(efi, "PXEClient:Arch:00007")}},
		{"OVMF, iPXE by HTTP, script by HTTP", efiHTTP, netns.OVMF(netns.HTTPBoot), "efi x86_64 SNP", []stage{
			{Class: "HTTPClient:Arch:00016", Addr: efiHTTP.addr().Addr(), Server: netip.IPv4Unspecified(), File: web + "/ipxe.efi", Answered: "HTTPClient"},
			script(efiHTTP, "PXEClient:Arch:00007")}},
		{"AAVMF by TFTP", arm, netns.AAVMF(netns.PXE), "", []stage{first(arm, "PXEClient:Arch:00011", "hello-arm64.efi")}},
		{"AAVMF by HTTP", armHTTP, netns.AAVMF(netns.HTTPBoot), "", []stage{
			{Class: "HTTPClient:Arch:00019", Addr: armHTTP.addr().Addr(), Server: netip.IPv4Unspecified(), File: web + "/hello-arm64.efi", Answered: "HTTPClient"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			on := time.Now()
			m := l.powerOn(t, s.near, tt.firmware, tt.computer)
			if tt.reports == "" {
				await(t, m.Process, greeting)
			} else {
				s.expectReport(t, m, tt.computer, tt.reports)
			}
			unplug(t, m)
			t.Logf("booted in %.1f s", time.Since(on).Seconds())
			messages := l.conversation(m, tt.computer)
			if diff := cmp.Diff(tt.stages, stages(messages), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("stages (-want +got):\n%s\n%s", diff, capture.Dump(messages))
			}
			keep(t, tt.computer.name, messages)
		})
	}
}

// GRUB is loaded by the iPXE in the BIOS's ROM, or by UEFI, and asks the same server for the rest.
func grubBoots(t *testing.T, l *lab) {
	s := newSite(t, l)
	s.serve("{gate: 'off'}")
	c := find(t, "grub")
	for platform, firmware := range map[string]netns.Firmware{"pc": netns.SeaBIOS(), "efi": netns.OVMF(netns.PXE)} {
		t.Run(platform, func(t *testing.T) {
			m := l.powerOn(t, s.near, firmware, c)
			await(t, m.Process, fmt.Sprintf("grub.cfg for %s on %s", l.mac(c), platform))
			unplug(t, m)
		})
	}
}

// expectReport waits until the boot script reports, and compares what it says with NetBox.
func (s *site) expectReport(t *testing.T, m *netns.Machine, c computer, self string) {
	t.Helper()
	platform := strings.Fields(self)
	want := report{MAC: hex.EncodeToString(s.lab.mac(c)), IP: c.addr().Addr().String(), Platform: platform[0], Arch: platform[1], Chip: platform[2],
		Filename: "http://10.60.1.1:8080/boot.ipxe", Next: host(near, serverHost).String()}
	if c.guarded {
		want.Filename, want.Next = "http://10.60.1.5:8080/boot.ipxe", host(near, bootHost).String()
	}
	if diff := cmp.Diff(want, s.awaitReport(t, m)); diff != "" {
		t.Errorf("the booted program reports (-want +got):\n%s", diff)
	}
}

// awaitReport waits until the boot script reports.
func (s *site) awaitReport(t *testing.T, m *netns.Machine) report {
	t.Helper()
	timer := time.NewTimer(bootable)
	defer timer.Stop()
	select {
	case r := <-s.boot.reports:
		return r
	case <-m.Done():
		t.Fatalf("the computer has gone out:\n%s", m.Output())
	case <-timer.C:
		t.Fatalf("nothing was booted in %v:\n%s", bootable, m.Output())
	}
	return report{}
}

// nothingToBoot is what iPXE in the ROM says when it has an address and no boot data.
const nothingToBoot = "Nothing to boot"

// docs/promises.md: the switch of PyDHCP's users. One computer is on the server's network, one
// behind a relay.
func redeploySwitch(t *testing.T, l *lab) {
	s := newSite(t, l)
	remote := s.relayed()
	s.serve(fmt.Sprintf("{redeploy_field: %s, confirm_field: %s}", l.field("redeploy"), l.field("confirm")))
	refused := func(lan *netns.Segment, c computer, kept string) {
		t.Helper()
		m := l.powerOn(t, lan, netns.SeaBIOS(), c)
		await(t, m.Process, nothingToBoot)
		unplug(t, m)
		messages := l.conversation(m, c)
		// The lease is as good as any. R-8: siaddr says nothing.
		want := []stage{{Class: "PXEClient:Arch:00000", IPXE: true, Addr: c.addr().Addr(), Server: netip.IPv4Unspecified()}}
		if diff := cmp.Diff(want, stages(messages), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
			t.Errorf("stages (-want +got):\n%s\n%s", diff, capture.Dump(messages))
		}
		if kept != "" {
			keep(t, kept, messages)
		}
	}
	boots := func(lan *netns.Segment, c computer) {
		t.Helper()
		m := l.powerOn(t, lan, netns.SeaBIOS(), c)
		s.expectReport(t, m, c, "pcbios i386 undionly")
		unplug(t, m)
	}
	redeploy := func(c computer, yes bool) {
		t.Helper()
		path := fmt.Sprintf("dcim/devices/%d/", l.seed.ID(t, "dcim/devices", l.name(c.name)))
		l.netbox.Call(t, http.MethodPatch, path, map[string]any{"custom_fields": map[string]any{l.field("redeploy"): yes}}, nil)
	}
	direct, behind := find(t, "guarded"), find(t, "remote")

	refused(s.near, direct, "guarded-off")
	redeploy(direct, true)
	boots(s.near, direct)
	s.reachable(false)
	refused(s.near, direct, "")
	s.reachable(true)
	boots(s.near, direct)
	redeploy(direct, false)
	refused(s.near, direct, "")

	refused(remote, behind, "")
	redeploy(behind, true)
	boots(remote, behind)
}

// dnsmasq gives the addresses.
func besideAnotherServer(t *testing.T, l *lab) {
	s := newSite(t, l)
	other := s.Namespace("other")
	s.near.Attach(other, "eth0")
	other.AddAddr("eth0", ip(near, otherHost))
	dnsmasq, err := other.Start("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--pid-file=", "--user=root", "--log-facility=-",
		"--log-dhcp", "--dhcp-authoritative", "--dhcp-leasefile="+filepath.Join(t.TempDir(), "leases"), "--dhcp-range=10.60.1.200,10.60.1.209")
	if err != nil {
		t.Fatal(err)
	}
	await(t, dnsmasq, "IP range 10.60.1.200")
	s.serve("{gate: 'off', proxy_dhcp: [eth0]}")
	for _, tt := range []struct {
		name     string
		computer computer
		firmware netns.Firmware
		reports  string
	}{
		{"SeaBIOS, iPXE in ROM", find(t, "bios"), netns.SeaBIOS(), "pcbios i386 undionly"},
		{"OVMF", find(t, "efi"), netns.OVMF(netns.PXE), "efi x86_64 SNP"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := l.powerOn(t, s.near, tt.firmware, tt.computer)
			got := s.awaitReport(t, m)
			unplug(t, m)
			leased, err := netip.ParseAddr(got.IP)
			if err != nil || leased.Less(host(near, 200)) || host(near, 209).Less(leased) {
				t.Errorf("the computer has %s (%v), want an address of the other server", got.IP, err)
			}
			platform := strings.Fields(tt.reports)
			want := report{MAC: hex.EncodeToString(l.mac(tt.computer)), IP: got.IP, Platform: platform[0], Arch: platform[1], Chip: platform[2],
				Filename: "http://10.60.1.1:8080/boot.ipxe", Next: host(near, serverHost).String()}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the booted program reports (-want +got):\n%s", diff)
			}
			messages := l.conversation(m, tt.computer)
			answers := 0
			for _, message := range messages {
				if !message.Reply() || message.From.Addr() != host(near, serverHost) {
					continue
				}
				answers++
				if !message.DHCP.YourIPAddr.IsUnspecified() || message.DHCP.Options.Has(dhcpv4.OptionIPAddressLeaseTime) {
					t.Errorf("an address was given:\n%s", message.DHCP.Summary())
				}
			}
			if answers == 0 {
				t.Error("no answer of ProxyDHCP")
			}
			if t.Failed() {
				t.Log(capture.Dump(messages))
			}
		})
	}
}

// conversation is the DHCP messages that passed a computer's network card, with its hardware address
// as captures have it.
func (l *lab) conversation(m *netns.Machine, c computer) []capture.Message {
	var messages []capture.Message
	var begin time.Time
	for _, frame := range m.Frames() {
		message, ok := capture.Parse(bytes.ReplaceAll(frame.Data, l.mac(c), c.keptMAC()))
		if !ok {
			continue
		}
		if begin.IsZero() {
			begin = frame.At
		}
		message.At = frame.At.Sub(begin).Truncate(time.Microsecond)
		messages = append(messages, message)
	}
	return messages
}

// stages lists the ACKs of a conversation.
func stages(messages []capture.Message) []stage {
	var list []stage
	asks := make(map[dhcpv4.TransactionID]*dhcpv4.DHCPv4)
	for _, m := range messages {
		asked := asks[m.DHCP.TransactionID]
		switch {
		case !m.Reply():
			asks[m.DHCP.TransactionID] = m.DHCP
		case m.DHCP.MessageType() == dhcpv4.MessageTypeAck && asked != nil:
			class, _, _ := strings.Cut(asked.ClassIdentifier(), ":UNDI")
			list = append(list, stage{Class: class, IPXE: asked.Options.Has(dhcpv4.OptionEtherboot), Addr: addr(m.DHCP.YourIPAddr),
				Server: addr(m.DHCP.ServerIPAddr), File: m.DHCP.BootFileName, Answered: m.DHCP.ClassIdentifier()})
		}
	}
	return list
}

func addr(b []byte) netip.Addr {
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

// keep writes a conversation to where it is replayed, with -update.
func keep(t *testing.T, name string, messages []capture.Message) {
	t.Helper()
	if !*update {
		return
	}
	path := filepath.Join("..", "..", "plugins", "pxe", "testdata", name)
	if err := capture.Write(path+".pcap", messages); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".txt", []byte(capture.Dump(messages)), 0o600); err != nil {
		t.Fatal(err)
	}
}
