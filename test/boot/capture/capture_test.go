package capture_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/boot/capture"
)

func TestWhatIsReadIsWrittenTheSame(t *testing.T) {
	kept := filepath.Join("..", "..", "..", "plugins", "pxe", "testdata", "bios.pcap")
	messages, err := capture.Read(kept)
	if err != nil {
		t.Fatal(err)
	}
	if len(messages) == 0 || messages[0].Reply() || !messages[1].Reply() {
		t.Fatalf("%d messages", len(messages))
	}
	again := filepath.Join(t.TempDir(), "again.pcap")
	if err := capture.Write(again, messages); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(kept)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(again); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes became %d (%v)", len(want), len(got), err)
	}
}

func TestOtherFramesAreNoMessages(t *testing.T) {
	for name, frame := range map[string][]byte{
		"nothing":     nil,
		"a header":    make([]byte, 14),
		"a cut frame": append(make([]byte, 12), 0x08, 0x00, 0x45, 0, 0, 40),
	} {
		if _, ok := capture.Parse(frame); ok {
			t.Errorf("%s is taken for a message", name)
		}
	}
}
