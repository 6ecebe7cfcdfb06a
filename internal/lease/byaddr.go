package lease

import (
	"encoding/binary"
	"iter"
	"net/netip"
)

// byAddr is a map by IPv4 address, whose keys are quick to find and hold nothing that
// the garbage collector has to look at. It keeps nothing for what is not IPv4.
type byAddr[V any] map[uint32]V

// key is an IPv4 address as a number; 0 for what is not IPv4.
func key(addr netip.Addr) uint32 {
	if !addr.Is4() {
		return 0
	}
	octets := addr.As4()
	return binary.BigEndian.Uint32(octets[:])
}

// addrOf is the address of a key.
func addrOf(key uint32) netip.Addr {
	var octets [4]byte
	binary.BigEndian.PutUint32(octets[:], key)
	return netip.AddrFrom4(octets)
}

// at returns the value of an address; the zero value if there is none.
func (m byAddr[V]) at(addr netip.Addr) V { return m[key(addr)] }

func (m byAddr[V]) find(addr netip.Addr) (V, bool) {
	v, ok := m[key(addr)]
	return v, ok
}

func (m byAddr[V]) set(addr netip.Addr, v V) {
	if addr.Is4() {
		m[key(addr)] = v
	}
}

func (m byAddr[V]) drop(addr netip.Addr) { delete(m, key(addr)) }

// all iterates over addresses and values in no order. Entries may be dropped meanwhile.
func (m byAddr[V]) all() iter.Seq2[netip.Addr, V] {
	return func(yield func(netip.Addr, V) bool) {
		for key, v := range m {
			if !yield(addrOf(key), v) {
				return
			}
		}
	}
}
