//go:build linux

package netns

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// Firmware is what a virtual computer starts with. Its CPU is emulated, also where there is KVM:
// a boot takes 5 to 15 seconds either way, and KVM within a virtual machine may hang in real mode.
type Firmware struct {
	program string
	args    []string
	// flash are the firmware's code, mapped read-only, and the template of its variables; without
	// them the program brings a BIOS.
	flash [2]string
	// rom keeps the boot ROM that QEMU puts on the network card; without it the firmware's own
	// network boot is at work.
	rom bool
}

// SeaBIOS is a PC with a BIOS, whose network card has iPXE in its ROM (Debian packages
// qemu-system-x86 and ipxe-qemu).
func SeaBIOS() Firmware {
	// Without graphics the BIOS and all it starts talk to the serial line.
	return Firmware{program: "qemu-system-x86_64", args: []string{"-machine", "pc,graphics=off", "-m", "256"}, rom: true}
}

// OVMF is a PC with UEFI (Debian package ovmf) that boots by the protocol alone.
func OVMF(p Protocol) Firmware {
	return Firmware{
		program: "qemu-system-x86_64", args: append([]string{"-machine", "q35", "-m", "256"}, p.args()...),
		flash: [2]string{"/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"},
	}
}

// AAVMF is a 64-bit ARM computer with UEFI (Debian packages qemu-system-arm and qemu-efi-aarch64)
// that boots by the protocol alone.
func AAVMF(p Protocol) Firmware {
	return Firmware{
		program: "qemu-system-aarch64", args: append([]string{"-machine", "virt", "-cpu", "cortex-a57", "-m", "512"}, p.args()...),
		flash: [2]string{"/usr/share/AAVMF/AAVMF_CODE.fd", "/usr/share/AAVMF/AAVMF_VARS.fd"},
	}
}

// Protocol is a way of UEFI to boot from a network.
type Protocol int

// Protocols over IPv4.
const (
	PXE Protocol = iota
	HTTPBoot
)

// args switch the other ways off: each would wait for a server of its own.
func (p Protocol) args() []string {
	args := []string{"-fw_cfg", "name=opt/org.tianocore/IPv6PXESupport,string=n"}
	if p == HTTPBoot {
		args = append(args, "-fw_cfg", "name=opt/org.tianocore/IPv4PXESupport,string=n")
	}
	return args
}

// Machine is a virtual computer that was switched on. Its output is what it writes to the serial
// line. Stop pulls the plug.
type Machine struct {
	*Process
	frames *Capture
}

// PowerOn makes a virtual computer with one network card, plugs it into the segment and switches it
// on. It keeps nothing from one start to the next.
func (s *Segment) PowerOn(f Firmware, mac net.HardwareAddr) (*Machine, error) {
	s.net.t.Helper()
	s.ports++
	port := fmt.Sprintf("port%d", s.ports)
	s.bridge.ip("tuntap", "add", "dev", port, "mode", "tap")
	s.bridge.ip("link", "set", "dev", port, "master", "br0", "up")
	frames, err := s.bridge.Capture(port)
	if err != nil {
		return nil, err
	}
	args := append([]string{"-accel", "tcg", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none", "-monitor", "none", "-serial", "stdio"}, f.args...)
	if f.flash[0] != "" {
		vars := filepath.Join(s.net.t.TempDir(), "vars.fd")
		if err := copyFile(vars, f.flash[1]); err != nil {
			return nil, err
		}
		args = append(args, "-drive", "if=pflash,unit=0,format=raw,readonly=on,file="+f.flash[0],
			"-drive", "if=pflash,unit=1,format=raw,file="+vars)
	}
	card := "virtio-net-pci,netdev=lan,bootindex=1,mac=" + mac.String()
	if !f.rom {
		card += ",romfile="
	}
	// Its number, which firmware tells as option 97, is made from the hardware address.
	args = append(args, "-uuid", fmt.Sprintf("636f7265-6468-6370-6e62-%x", []byte(mac)), "-device", "virtio-rng-pci", "-netdev", "tap,id=lan,script=no,downscript=no,ifname="+port, "-device", card)
	process, err := s.bridge.Start(f.program, args...)
	if err != nil {
		return nil, err
	}
	return &Machine{Process: process, frames: frames}, nil
}

// Frames are the Ethernet frames that went to or came from the computer since it was switched on.
func (m *Machine) Frames() []Frame { return m.frames.Frames() }

func copyFile(to, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return fmt.Errorf("copy %s: %w", from, err)
	}
	return out.Close()
}
