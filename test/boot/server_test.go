//go:build linux

package boot

import (
	"bytes"
	"debug/pe"
	"encoding/binary"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// bootServer has the boot files: by TFTP and by HTTP, on a host of its own.
type bootServer struct {
	host   *netns.Namespace
	folder string
	// reports are what booted programs say about themselves.
	reports chan report
}

// report is the query of /report.
type report struct {
	MAC, IP, Platform, Arch, Chip, Filename, Next string
}

// bootScript is what iPXE runs in the end: it reports what it knows. A computer whose ROM is iPXE
// loads undionly.kpxe first, a second iPXE that uses the ROM's driver and is recognised by that.
// Beside another DHCP server ${next-server} is that server's word.
const bootScript = `#!ipxe
isset ${proxydhcp/next-server} && set files ${proxydhcp/next-server} || set files ${next-server}
iseq ${platform}/${net0/chip} pcbios/virtio-net && chain tftp://${files}/undionly.kpxe ||
imgfetch http://10.60.1.5:8080/report?mac=${net0/mac:hexraw}&ip=${net0/ip}&platform=${platform}&arch=${buildarch}&chip=${net0/chip}&next=${files}&filename=${filename:uristring} ||
echo the boot script has ended
prompt
`

func startBootServer(s *site) *bootServer {
	s.t.Helper()
	b := &bootServer{host: s.Namespace("boot"), folder: bootFiles(s.t), reports: make(chan report, 16)}
	s.near.Attach(b.host, "eth0")
	b.host.AddAddr("eth0", ip(near, bootHost))
	advertise(s.t, b.host, "eth0", "fd00:60:1::", "--enable-tftp", "--tftp-root="+b.folder)
	l, err := b.host.Listen(netip.AddrPortFrom(host(near, bootHost), webPort))
	if err != nil {
		s.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(b.folder)))
	mux.HandleFunc("/report", func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		b.reports <- report{MAC: q.Get("mac"), IP: q.Get("ip"), Platform: q.Get("platform"), Arch: q.Get("arch"), Chip: q.Get("chip"), Filename: q.Get("filename"), Next: q.Get("next")}
		_, _ = w.Write([]byte("thank you\n")) // the computer may have been switched off
	})
	web := &http.Server{Handler: mux}
	go func() { _ = web.Serve(l) }() // ends with Close
	s.t.Cleanup(func() { web.Close() })
	return b
}

// bootFiles makes the folder of boot files.
func bootFiles(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string][]byte{
		"ipxe.efi":        read(t, "/usr/lib/ipxe/ipxe.efi"),
		"undionly.kpxe":   read(t, "/usr/lib/ipxe/undionly.kpxe"),
		"boot.ipxe":       []byte(bootScript),
		"hello-arm64.efi": helloARM64(t),
	} {
		// dnsmasq running as root serves only what every user may read.
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mknetdir := exec.CommandContext(t.Context(), "grub-mknetdir", "--net-directory="+folder, "--subdir=grub")
	if out, err := mknetdir.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(folder, "grub", "grub.cfg"), []byte(grubScript), 0o600); err != nil {
		t.Fatal(err)
	}
	return folder
}

// grubScript is what GRUB runs, on the serial line too.
const grubScript = `serial --unit=0
terminal_output serial console
echo "grub.cfg for $net_default_mac on $grub_platform"
sleep 60
`

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// greeting is what hello-arm64.efi prints.
const greeting = "hello from an ARM64 boot file"

// helloARM64 is a UEFI program that prints the greeting: Debian has no iPXE for ARM64.
func helloARM64(t *testing.T) []byte {
	t.Helper()
	const headers, alignment = 0x200, 0x1000
	var code bytes.Buffer
	put := func(v any) {
		if err := binary.Write(&code, binary.LittleEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	put([]uint32{ // entered with the image's handle in x0 and the system table in x1
		0xa9bf7bfd, // stp x29, x30, [sp, #-16]!
		0xf9402020, // ldr x0, [x1, #64]            ConOut
		0x100000c1, // adr x1, .+24                 the greeting
		0xf9400402, // ldr x2, [x0, #8]             OutputString
		0xd63f0040, // blr x2
		0xa8c17bfd, // ldp x29, x30, [sp], #16
		0xd2800000, // mov x0, #0                   EFI_SUCCESS
		0xd65f03c0, // ret
	})
	for _, r := range greeting + "\r\n\x00" {
		put(uint16(r))
	}
	text := code.Bytes()
	code = bytes.Buffer{}
	stub := make([]byte, 0x40)
	copy(stub, "MZ")
	stub[0x3c] = 0x40 // where the PE header begins
	put(stub)
	put([]byte("PE\x00\x00"))
	put(pe.FileHeader{Machine: pe.IMAGE_FILE_MACHINE_ARM64, NumberOfSections: 1, SizeOfOptionalHeader: uint16(binary.Size(pe.OptionalHeader64{})),
		Characteristics: pe.IMAGE_FILE_EXECUTABLE_IMAGE | pe.IMAGE_FILE_LARGE_ADDRESS_AWARE})
	put(pe.OptionalHeader64{Magic: 0x20b, SizeOfCode: headers, AddressOfEntryPoint: alignment, BaseOfCode: alignment, SectionAlignment: alignment,
		FileAlignment: headers, SizeOfImage: 2 * alignment, SizeOfHeaders: headers, Subsystem: pe.IMAGE_SUBSYSTEM_EFI_APPLICATION, NumberOfRvaAndSizes: 16})
	put(pe.SectionHeader32{Name: [8]uint8{'.', 't', 'e', 'x', 't'}, VirtualSize: uint32(len(text)), VirtualAddress: alignment, SizeOfRawData: headers,
		PointerToRawData: headers, Characteristics: pe.IMAGE_SCN_CNT_CODE | pe.IMAGE_SCN_MEM_EXECUTE | pe.IMAGE_SCN_MEM_READ})
	image := make([]byte, 2*headers)
	copy(image, code.Bytes())
	copy(image[headers:], text)
	return image
}
