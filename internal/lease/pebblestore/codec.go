package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net/netip"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// A lease is stored under its address:
//
//	key    'l', family (4 or 6), the address: byte order is address order
//	value  format byte (1; 2 with any flag but the first)
//	       flags: bit 0 unsynced
//	       state, interface kind
//	       revision            uvarint
//	       interface id        varint; if bit 3 of the flags is set, of the switch's
//	                           port that the address was claimed by
//	       expires, synced at  each varint Unix seconds, uvarint nanoseconds
//	       client, host name   each uvarint length, bytes
//	       hardware address    uvarint length, bytes; if bit 1 of the flags is set
//	       what NetBox was told last, if bit 2 is set: client, uvarint length and
//	       bytes, and expiry, as above
//	       CRC-32C of key and all of the above, big endian
//
// The checksum covers the key, so that a value read under another address is
// noticed too. Every lease has exactly one encoding.
const (
	leasePrefix   = 'l'
	valueFormat   = 1
	longFormat    = 2
	flagUnsynced  = 1 << 0
	flagHardware  = 1 << 1
	flagTold      = 1 << 2
	flagByPort    = 1 << 3
	checksumBytes = 4
)

// errCorrupt is the cause of every refusal to decode.
var errCorrupt = errors.New("stored lease is damaged")

// encodeKey refuses what is no plain address: a zone would be lost, and an
// IPv4-mapped IPv6 address would be a second lease of the same address.
func encodeKey(addr netip.Addr) ([]byte, error) {
	switch {
	case addr.Is4():
		a := addr.As4()
		return append([]byte{leasePrefix, 4}, a[:]...), nil
	case addr.Is6() && !addr.Is4In6() && addr.Zone() == "":
		a := addr.As16()
		return append([]byte{leasePrefix, 6}, a[:]...), nil
	}
	return nil, fmt.Errorf("%q is no address a lease can be stored for", addr)
}

func decodeKey(key []byte) (netip.Addr, error) {
	if len(key) > 2 && key[0] == leasePrefix {
		addr, ok := netip.AddrFromSlice(key[2:])
		if ok && !addr.Is4In6() && (addr.Is4() && key[1] == 4 || addr.Is6() && key[1] == 6) {
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("key %x: %w", key, errCorrupt)
}

// appendValue encodes all of l but its address, which is the key.
func appendValue(b, key []byte, l lease.Lease, rev lease.Revision) []byte {
	begin := len(b)
	var flags byte
	if l.Unsynced {
		flags |= flagUnsynced
	}
	format := byte(valueFormat)
	if l.Hardware != "" {
		format, flags = longFormat, flags|flagHardware
	}
	if l.ToldClient != "" {
		format, flags = longFormat, flags|flagTold
	}
	if l.ByPort {
		format, flags = longFormat, flags|flagByPort
	}
	b = append(b, format, flags, byte(l.State), l.InterfaceKind)
	b = binary.AppendUvarint(b, uint64(rev))
	b = binary.AppendVarint(b, l.InterfaceID)
	b = appendTime(b, l.Expires)
	b = appendTime(b, l.SyncedAt)
	b = appendString(b, string(l.Client))
	b = appendString(b, l.Hostname)
	if flags&flagHardware != 0 {
		b = appendString(b, string(l.Hardware))
	}
	if flags&flagTold != 0 {
		b = appendString(b, string(l.ToldClient))
		b = appendTime(b, l.ToldExpires)
	}
	return binary.BigEndian.AppendUint32(b, checksum(key, b[begin:]))
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.AppendVarint(b, t.Unix())
	return binary.AppendUvarint(b, uint64(t.Nanosecond())) //nolint:gosec // G115: below a thousand million
}

func appendString(b []byte, s string) []byte {
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

func checksum(key, value []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	return crc32.Update(crc32.Checksum(key, table), table, value)
}

// decode reads one stored lease. It accepts exactly what encodeKey and
// appendValue write; the errors wrap errCorrupt.
func decode(key, value []byte) (lease.Lease, lease.Revision, error) {
	addr, err := decodeKey(key)
	if err != nil {
		return lease.Lease{}, 0, err
	}
	l, rev, err := decodeValue(key, value)
	if err != nil {
		return lease.Lease{}, 0, fmt.Errorf("lease of %s: %w", addr, err)
	}
	l.Addr = addr
	return l, rev, nil
}

func decodeValue(key, value []byte) (lease.Lease, lease.Revision, error) {
	body := len(value) - checksumBytes
	if body < 0 {
		return lease.Lease{}, 0, fmt.Errorf("%d bytes are too few: %w", len(value), errCorrupt)
	}
	if sum := binary.BigEndian.Uint32(value[body:]); sum != checksum(key, value[:body]) {
		return lease.Lease{}, 0, fmt.Errorf("checksum: %w", errCorrupt)
	}
	r := reader{rest: value[:body]}
	format, flags := r.octet(), r.octet()
	extra := flags &^ flagUnsynced
	if format != valueFormat && format != longFormat || extra&^(flagHardware|flagTold|flagByPort) != 0 || (format == longFormat) != (extra != 0) {
		return lease.Lease{}, 0, fmt.Errorf("value format %d, flags %#x: %w", format, flags, errCorrupt)
	}
	l := lease.Lease{State: lease.State(r.octet()), InterfaceKind: r.octet(), Unsynced: flags&flagUnsynced != 0, ByPort: flags&flagByPort != 0}
	rev := lease.Revision(r.uvarint())
	l.InterfaceID = r.varint()
	l.Expires = r.time()
	l.SyncedAt = r.time()
	l.Client = lease.ClientID(r.text())
	l.Hostname = r.text()
	if extra&flagHardware != 0 {
		l.Hardware = lease.ClientID(r.text())
		r.bad = r.bad || l.Hardware == ""
	}
	if extra&flagTold != 0 {
		l.ToldClient = lease.ClientID(r.text())
		l.ToldExpires = r.time()
		r.bad = r.bad || l.ToldClient == ""
	}
	if r.bad || len(r.rest) > 0 {
		return lease.Lease{}, 0, fmt.Errorf("fields: %w", errCorrupt)
	}
	return l, rev, nil
}

// reader takes fields off the front of rest. After the first field that is
// not there bad stays true and every further field is zero.
type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad = true
		return nil
	}
	taken := r.rest[:n]
	r.rest = r.rest[n:]
	return taken
}

func (r *reader) octet() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || n > 1 && r.rest[n-1] == 0 { // a longer way to write the same number
		r.bad = true
		return 0
	}
	r.take(n)
	return v
}

// varint undoes the zigzag of binary.AppendVarint.
func (r *reader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// time reads an instant; the years are bounded so that time.Time holds it
// without overflow.
func (r *reader) time() time.Time {
	sec, nsec := r.varint(), r.uvarint()
	if sec < math.MinInt64/4 || sec > math.MaxInt64/4 || nsec >= uint64(time.Second) {
		r.bad = true
		return time.Time{}
	}
	return time.Unix(sec, int64(nsec)).UTC()
}

func (r *reader) text() string {
	n := r.uvarint()
	if n > uint64(len(r.rest)) {
		r.bad = true
		return ""
	}
	return string(r.take(int(n))) //nolint:gosec // G115: at most the length of rest
}
