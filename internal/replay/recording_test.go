package replay

import (
	"bytes"
	"encoding/hex"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
)

// FuzzRead reads any bytes as a capture and changes its messages as a replay does: C-26.
func FuzzRead(f *testing.F) {
	paths, err := filepath.Glob("../../plugins/pxe/testdata/*.pcap")
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	ours := netip.MustParseAddr("10.0.0.2")
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, _ := Read(bytes.NewReader(data))
		if len(rec.Requests) != len(rec.Replies) {
			t.Fatalf("%d requests, %d replies", len(rec.Requests), len(rec.Replies))
		}
		for i, m := range rec.Requests {
			Relay(m.Payload)
			Readdress(m.Payload, nil, ours)
			of := told{offered: ours}
			q := Question{Payload: m.Payload}
			of.follow(&q)
			if len(q.Payload) != len(m.Payload) {
				t.Fatal("a message changed its length")
			}
			SaidThere(rec.Replies[i].Payload)
		}
	})
}

// C-22: a client that was offered another address here asks for it, and names it later.
func TestAClientAsksForWhatItWasOffered(t *testing.T) {
	message := func(ciaddr byte, options string) []byte {
		b := append(make([]byte, 236), 0x63, 0x82, 0x53, 0x63)
		if ciaddr != 0 {
			copy(b[12:16], []byte{10, 0, 0, ciaddr})
		}
		more, err := hex.DecodeString(options + "ff")
		if err != nil {
			t.Fatal(err)
		}
		return append(b, more...)
	}
	const rebooting = "32040a000005"
	client := told{offered: netip.MustParseAddr("10.0.0.9")}
	for name, c := range []struct {
		payload []byte
		want    byte // last byte of the address that it names
	}{
		{message(0, "350103"+"32040a000005"+"36040a000002"), 9}, // selects
		{message(5, "350103"), 9},                               // renews
		{message(0, "350103"+rebooting), 9},                     // has restarted
		{message(0, "350103"+"32040a000007"), 7},                // means another address
	} {
		q := Question{Payload: c.payload}
		client.follow(&q)
		got := q.Payload[15]
		if at := bytes.Index(q.Payload, []byte{50, 4, 10, 0, 0}); at > 0 {
			got = q.Payload[at+5]
		}
		if got != c.want {
			t.Errorf("message %d names .%d, want .%d", name, got, c.want)
		}
	}
}
