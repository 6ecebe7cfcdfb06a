//go:build linux

package scenario

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/boot/capture"
)

var update = flag.Bool("update", false, "record anew what the clients of some stories say, in testdata")

// keptMAC begins the hardware addresses of clients in captures, and those of a run are replaced by it.
var keptMAC = []byte{0x02, 0x5C, 0xE0, 0x00}

// nameless returns a frame without what tells the machine of this run: random parts of hardware addresses,
// and the release of its kernel, which dhcpcd sends.
func (s *site) nameless(frame []byte) []byte {
	s.t.Helper()
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		s.t.Fatal(err)
	}
	release := []byte(unix.ByteSliceToString(system.Release[:]))
	frame = bytes.ReplaceAll(frame, release, bytes.Repeat([]byte("x"), len(release)))
	return bytes.ReplaceAll(frame, s.lab.mac(0)[:4], keptMAC)
}

// keep writes the DHCP messages that passed an interface of the server to testdata when the story has
// ended well, with -update. test/program replays them.
func (s *site) keep(ifname, name string) {
	s.t.Helper()
	if !*update {
		return
	}
	seen, err := s.server.Capture(ifname)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.t.Failed() {
			return
		}
		var messages []capture.Message
		var begin time.Time
		for _, frame := range seen.Frames() {
			message, ok := capture.Parse(s.nameless(frame.Data))
			if !ok {
				continue
			}
			if begin.IsZero() {
				begin = frame.At
			}
			message.At = frame.At.Sub(begin).Truncate(time.Microsecond)
			messages = append(messages, message)
		}
		path := filepath.Join("testdata", name)
		if err := capture.Write(path+".pcap", messages); err != nil {
			s.t.Error(err)
		}
		if err := os.WriteFile(path+".txt", []byte(capture.Dump(messages)), 0o600); err != nil {
			s.t.Error(err)
		}
	})
}
