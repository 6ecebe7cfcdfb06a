package pxe

import (
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// group is a kind of firmware that loads the same file.
type group uint8

const (
	unknown group = iota
	bios
	uefi
	httpBoot
	byNumber // only a file for the very number is right
	raspberryPi
)

// groupOf sorts the architecture numbers registered with IANA ("Processor
// Architecture Types"). By number, never by name: the library's names end at 36
// (F-34).
func groupOf(arch uint16) group {
	switch arch {
	case 0, // x86 BIOS
		1, 3, 4, 5: // NEC PC98, DEC Alpha, Arc x86, Intel Lean Client: obsolete, in practice a BIOS
		return bios
	case 2, // Itanium
		6,    // x86
		7, 9, // x64; the register says EBC for 9, which old x64 firmware sends
		8,      // XScale
		10, 11, // ARM 32, 64
		25, 27, 29, // RISC-V 32, 64, 128
		33, 34, // MIPS 32, 64
		35, 36, // Sunway 32, 64
		37, 39: // LoongArch 32, 64
		return uefi
	case 15, 16, 17, // x86, x64, EBC
		18, 19, // ARM 32, 64
		20,         // x86 BIOS
		26, 28, 30, // RISC-V 32, 64, 128
		38, 40: // LoongArch 32, 64
		return httpBoot
	case 12, 13, 14, // Open Firmware, ePAPR, OPAL
		21, 22, 23, 24, // U-Boot: ARM 32, 64 by TFTP, by HTTP
		31, 32: // s390 Basic, Extended
		return byNumber
	case 41:
		return raspberryPi
	}
	return unknown
}

// bootFile returns the file or URL for c to load; empty: none is configured. A
// file for iPXE goes before everything, since iPXE would load itself again
// one for the very architecture before that of its group.
func (c client) bootFile(config *ipam.Config) string {
	if c.ipxe && config.IPXEBootFile != "" {
		return config.IPXEBootFile
	}
	if file := config.BootFiles[c.arch]; file != "" {
		return file
	}
	switch groupOf(c.arch) {
	case bios:
		return config.PXEBootFile
	case uefi:
		return config.UEFIBootFile
	case httpBoot:
		return config.HTTPBootURL
	}
	return ""
}

// hasScheme reports whether file is a URL of one of the schemes.
func hasScheme(file string, schemes ...string) bool {
	for _, scheme := range schemes {
		if len(file) > len(scheme) && strings.EqualFold(file[:len(scheme)], scheme) {
			return true
		}
	}
	return false
}
