// Package option turns the DHCP options that config contexts of NetBox name into
// bytes: it knows the registry, checks types, and tells which of them a client is
// sent (rules OPT-1 to OPT-8). It must not know messages, leases or NetBox's API,
// and it decides nothing about boot clients.
package option

import (
	"bytes"
	"net"
	"slices"
)

// Layer is the data of one config context, or of a machine's rendered context.
type Layer struct {
	// Source is what explain names, such as `config context "voice" (weight 1000)`.
	Source string
	// Data is the value under the context key, as encoding/json decodes it. Keys that
	// this package does not read are passed over.
	Data map[string]any
}

// Finding is something in a layer that cannot be used. It costs only the option,
// or the class, that Field names.
type Finding struct {
	Source  string // that of the layer
	Field   string // the path of keys, such as `vendor_classes."Cisco AP".options.43`
	Problem string // what is wrong, and what to write instead
}

// Client is what a message says of its sender. All of it is a claim.
type Client struct {
	VendorClass   []byte   // option 60; nil: none
	UserClasses   [][]byte // the classes of option 77
	Architectures []uint16 // option 93, in the client's order
	MAC           net.HardwareAddr
	Requested     []byte // option 55
	HasRequested  bool   // option 55 was sent
}

// Chosen is one option that a client is sent.
type Chosen struct {
	Code  uint8
	Value []byte // 1 to 255 bytes, shared by all replies: not to be changed
	Force bool   // sent unasked, and left out of a full message last
	// Source is the layer, and the class if there is one, that says so.
	Source string
	// Overrides are the values that other layers and wider conditions have for this
	// option, each with its source, the nearest first.
	Overrides []string
}

// Set is the compiled content of some layers. It is immutable, and safe for
// concurrent use; a nil *Set says nothing.
type Set struct {
	base    block
	classes [kinds][]class // the longest key first
	// poolTags are those of all classes, sorted, each once.
	poolTags []string
}

// kind is a kind of condition. Of several that match a client the later one wins.
type kind uint8

const (
	vendorClass kind = iota
	userClass
	architecture
	macPrefix
	kinds
)

// key is the key of the context that holds conditions of this kind.
func (k kind) key() string {
	return [...]string{"vendor_classes", "user_classes", "architectures", "mac_prefixes"}[k]
}

// class is a condition and what it gives.
type class struct {
	name  string // for people, such as `vendor_classes "Cisco AP"`
	match []byte // text, or the bytes of a MAC prefix
	arch  uint16
	block
}

// block is what one condition, or none, gives. Options are sorted by code.
type block struct {
	options      []entry
	tag, tagFrom string
}

// entry is one option of a block. Removed: null takes the option of a wider
// condition away.
type entry struct {
	Chosen
	removed bool
	words   string // value and source, for those that override it
}

// matched are the classes of a client, one of each kind; nil: none.
type matched [kinds]*class

func (s *Set) matches(c Client) (m matched) {
	for i := range s.classes[vendorClass] {
		if k := &s.classes[vendorClass][i]; better(m[vendorClass], k, c.VendorClass) {
			m[vendorClass] = k
		}
	}
	for i := range s.classes[userClass] {
		k := &s.classes[userClass][i]
		for _, user := range c.UserClasses {
			if better(m[userClass], k, user) {
				m[userClass] = k
			}
		}
	}
	for i := len(c.Architectures) - 1; i >= 0; i-- {
		for j := range s.classes[architecture] {
			if k := &s.classes[architecture][j]; k.arch == c.Architectures[i] {
				m[architecture] = k
			}
		}
	}
	for i := range s.classes[macPrefix] {
		if k := &s.classes[macPrefix][i]; m[macPrefix] == nil && bytes.HasPrefix(c.MAC, k.match) {
			m[macPrefix] = k
		}
	}
	return m
}

// better reports whether k matches text and comes before the class found so far,
// which is as long or longer: only a key that text begins with goes before one of
// the same length that stands inside of it.
func better(found, k *class, text []byte) bool {
	if found == nil {
		return bytes.Contains(text, k.match)
	}
	return len(k.match) == len(found.match) && bytes.HasPrefix(text, k.match) && !bytes.HasPrefix(text, found.match)
}

// For returns the options for a client, sorted by code: those that it asks for,
// and those that are forced (OPT-7). Without option 55 only the latter.
func (s *Set) For(c Client) []Chosen {
	if s == nil {
		return nil
	}
	list := make([]Chosen, 0, usual)
	s.each(s.matches(c), func(e *entry, under []*entry) {
		if e.Force || c.HasRequested && slices.Contains(c.Requested, e.Code) {
			chosen := e.Chosen
			if len(under) > 0 {
				chosen.Overrides = overridden(e, under)
			}
			list = append(list, chosen)
		}
	})
	if len(list) == 0 {
		return nil
	}
	return list
}

// usual is how many options a client is sent most often at most.
const usual = 8

// each calls do for every option that the base and the matched classes have, in
// the order of codes, with the entries that it goes before, the nearest first.
func (s *Set) each(m matched, do func(e *entry, under []*entry)) {
	var rows [1 + kinds][]entry
	rows[0] = s.base.options
	for k, c := range m {
		if c != nil {
			rows[k+1] = c.options
		}
	}
	for {
		low := -1
		for _, row := range rows {
			if len(row) > 0 && (low < 0 || int(row[0].Code) < low) {
				low = int(row[0].Code)
			}
		}
		if low < 0 {
			return
		}
		var room [1 + kinds]*entry
		same := room[:0]
		for i := len(rows) - 1; i >= 0; i-- {
			if len(rows[i]) > 0 && int(rows[i][0].Code) == low {
				same = append(same, &rows[i][0])
				rows[i] = rows[i][1:]
			}
		}
		if !same[0].removed {
			do(same[0], same[1:])
		}
	}
}

// overridden lists what e goes before: other layers of its own block, then wider
// conditions and their layers.
func overridden(e *entry, under []*entry) []string {
	list := slices.Clone(e.Overrides)
	for _, u := range under {
		if !u.removed && (u.Force != e.Force || !bytes.Equal(u.Value, e.Value)) {
			list = append(list, u.words)
		}
		list = append(list, u.Overrides...)
	}
	return list
}

// PoolTag returns the tag that the client's classes name for the pools it uses,
// and where that stands. Empty: none.
func (s *Set) PoolTag(c Client) (tag, source string) {
	if s == nil {
		return "", ""
	}
	for _, k := range s.matches(c) {
		if k != nil && k.tag != "" {
			tag, source = k.tag, k.tagFrom
		}
	}
	return tag, source
}

// PoolTags lists the tags that classes name, sorted, each once.
func (s *Set) PoolTags() []string {
	if s == nil {
		return nil
	}
	return s.poolTags
}

// Matched appends the names of the client's classes to names, such as
// `vendor_classes "Cisco AP"`.
func (s *Set) Matched(names []string, c Client) []string {
	if s == nil {
		return names
	}
	for _, k := range s.matches(c) {
		if k != nil {
			names = append(names, k.name)
		}
	}
	return names
}

// Classes lists the names of all classes, as Matched has them.
func (s *Set) Classes() (names []string) {
	if s == nil {
		return nil
	}
	for _, list := range s.classes {
		for i := range list {
			names = append(names, list[i].name)
		}
	}
	return names
}
