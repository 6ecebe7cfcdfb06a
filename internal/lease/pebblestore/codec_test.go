package pebblestore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

func addr(last byte) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 0, last}) }

func encoded(tb testing.TB, l lease.Lease, rev lease.Revision) (key, value []byte) {
	tb.Helper()
	key, err := encodeKey(l.Addr)
	if err != nil {
		tb.Fatal(err)
	}
	return key, appendValue(nil, key, l, rev)
}

var compareAddrs = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// codecLeases are the corners of the encoding; they are the fuzz corpus too.
func codecLeases() []lease.Lease {
	return []lease.Lease{
		{Addr: addr(0)},
		{Addr: addr(5), Client: "52:54:00:AA:BB:CC", State: lease.Bound, Hostname: "printer",
			Expires: time.Unix(1893553445, 0).UTC(), SyncedAt: time.Unix(1893553445, 123456000).UTC(), Unsynced: true},
		{Addr: addr(7), Client: "id/00:63:2D:61", Hardware: "52:54:00:AA:BB:CC", State: lease.Released, Hostname: "c"},
		{Addr: addr(8), Client: "52:54:00:AA:BB:CC", State: lease.Bound, ToldClient: "52:54:00:AA:BB:DD", ToldExpires: time.Unix(1893553445, 0).UTC(),
			Expires: time.Unix(1893553445, 0).UTC(), SyncedAt: time.Unix(1893553445, 123456000).UTC()},
		{Addr: addr(9), Client: "52:54:00:AA:BB:CC", State: lease.Bound, InterfaceKind: 1, InterfaceID: 300, ByPort: true, Expires: time.Unix(1893553445, 0).UTC()},
		{Addr: addr(6), InterfaceKind: 2, InterfaceID: math.MinInt64, State: 255, Hostname: "\x00\xff"},
		{Addr: netip.MustParseAddr("2001:db8::1"), InterfaceID: math.MaxInt64, Expires: time.Unix(0, 999999999).UTC()},
	}
}

func TestDecodeReadsWhatWasEncoded(t *testing.T) {
	for _, l := range codecLeases() {
		for _, rev := range []lease.Revision{1, math.MaxUint64} {
			key, value := encoded(t, l, rev)
			got, gotRev, err := decode(key, value)
			if err != nil || gotRev != rev {
				t.Fatalf("%v: revision %d, %v", l, gotRev, err)
			}
			if diff := cmp.Diff(l, got, compareAddrs); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	}
}

// CL-16: what was written before leases had the mark of a port reads as before, and is
// written again as it was.
func TestRecordsOfTheVersionsBeforeAreRead(t *testing.T) {
	for i, text := range map[int]string{
		0: "010000000700ffdb8ff9ce0300ffdb8ff9ce030000002e610041",
		1: "010101000700cad4ea8d0e00cad4ea8d0e8094ef3a1135323a35343a30303a41413a42423a4343077072696e74657229d4fe57",
		2: "020202000700ffdb8ff9ce0300ffdb8ff9ce03000e69642f30303a36333a32443a363101631135323a35343a30303a41413a42423a434382357651",
		3: "020401000700cad4ea8d0e00cad4ea8d0e8094ef3a1135323a35343a30303a41413a42423a4343001135323a35343a30303a41413a42423a4444cad4ea8d0e005a8e521d",
	} {
		value, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		want := codecLeases()[i]
		key, now := encoded(t, want, 7)
		got, rev, err := decode(key, value)
		if err != nil || rev != 7 || !bytes.Equal(now, value) {
			t.Errorf("%s: revision %d, %v; written now as %x", want.Addr, rev, err, now)
		}
		if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestDecodeNoticesEveryFlippedBitAndEveryCut(t *testing.T) {
	for _, l := range codecLeases() {
		key, value := encoded(t, l, 300)
		for i := range 8 * (len(key) + len(value)) {
			k, v := bytes.Clone(key), bytes.Clone(value)
			if i/8 < len(key) {
				k[i/8] ^= 1 << (i % 8)
			} else {
				v[i/8-len(key)] ^= 1 << (i % 8)
			}
			if _, _, err := decode(k, v); !errors.Is(err, errCorrupt) {
				t.Errorf("%s with bit %d flipped: %v", l.Addr, i, err)
			}
		}
		for n := range value {
			if _, _, err := decode(key, value[:n]); !errors.Is(err, errCorrupt) {
				t.Errorf("%s cut to %d bytes: %v", l.Addr, n, err)
			}
		}
	}
}

func TestALeaseTakesLittleRoom(t *testing.T) {
	key, value := encoded(t, codecLeases()[1], 40)
	if n := len(key) + len(value); n > 60 {
		t.Errorf("%d bytes for a typical lease", n)
	}
}

// FuzzDecode gives the decoder bodies with a right checksum, so that the
// fields behind it are reached.
func FuzzDecode(f *testing.F) {
	for _, l := range codecLeases() {
		key, value := encoded(f, l, 7)
		f.Add(key, value[:len(value)-checksumBytes])
	}
	f.Fuzz(func(t *testing.T, key, body []byte) {
		value := binary.BigEndian.AppendUint32(bytes.Clone(body), checksum(key, body))
		l, rev, err := decode(key, value)
		if err != nil {
			if !errors.Is(err, errCorrupt) {
				t.Fatalf("error %v does not say that the lease is damaged", err)
			}
			return
		}
		again, err := encodeKey(l.Addr)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again, key) {
			t.Errorf("key %x reads as %s, which is %x", key, l.Addr, again)
		}
		if v := appendValue(nil, again, l, rev); !bytes.Equal(v, value) {
			t.Errorf("value %x reads as %v, which is %x", value, l, v)
		}
	})
}
