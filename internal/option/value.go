package option

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// form is what the value of an option looks like, in the context and on the wire.
type form uint8

const (
	explicit form = iota // the value names its form itself
	address
	addresses
	pairs // of addresses, RFC 2132 sections 4.3 and 5.8
	text
	boolean
	uint8s
	uint16s
	uint32s
	int32s
	uint16List
	hexBytes
	domain // RFC 1035 section 3.1
	domains
	routes // RFC 3442
	subOptions
	nodeType      // RFC 2132 section 8.7
	slpAgents     // RFC 2610 section 3
	slpScope      // RFC 2610 section 4
	sipServers    // RFC 3361
	uriList       // RFC 8572 section 8.1
	vendorClasses // RFC 3925 section 3
	vendorOptions // RFC 3925 section 4
)

// formNames are the forms that a value can name: {address: 10.0.0.1}.
var formNames = map[string]form{ //nolint:gochecknoglobals // a table, never changed
	"address": address, "addresses": addresses, "address_pairs": pairs, "text": text, "boolean": boolean, "uint8": uint8s,
	"uint16": uint16s, "uint32": uint32s, "int32": int32s, "uint16s": uint16List, "hex": hexBytes, "domain": domain, "domains": domains,
	"routes": routes, "sub_options": subOptions,
}

const (
	maxValue = 255 // bytes of a value: clients that join split options (RFC 3396) are rare
	maxDepth = 3   // of sub-options within sub-options
)

// encode turns the value of an option into bytes, 1 to 255. Its errors say what
// to write instead, in words that begin behind the name of the field.
func encode(k known, value any) ([]byte, error) {
	b, err := encodeForm(k.form, k.low, value, 0)
	switch {
	case err != nil:
		return nil, err
	case len(b) == 0:
		return nil, errors.New("the value is empty: take the option out, or write null to hide that of another context")
	case len(b) > maxValue:
		return nil, fmt.Errorf("the value has %d bytes, and an option at most %d", len(b), maxValue)
	}
	return b, nil
}

// encodeForm encodes one value. An object with the name of a form says itself what
// it is: for options with a form of their own only hex may.
func encodeForm(f form, low int64, value any, depth int) ([]byte, error) {
	if named, inner, ok := namedForm(value); ok {
		switch {
		case f == explicit, named == f:
			return encodeForm(named, low, inner, depth)
		case named == hexBytes:
			return encodeHexFor(f, inner)
		case f == subOptions && named == text: // whole vendor data as text, as some access points want it
			return encodeText(inner)
		}
		return nil, fmt.Errorf("want %s or {hex: ...}", f.wants())
	}
	switch f {
	case explicit:
		return encodePlain(value)
	case address, addresses, pairs, slpAgents:
		return encodeAddresses(f, value)
	case text:
		return encodeText(value)
	case slpScope:
		b, err := encodeText(value)
		return append([]byte{0}, b...), err
	case boolean:
		on, ok := value.(bool)
		if !ok {
			return nil, fmt.Errorf("want %s, not %s", f.wants(), show(value))
		}
		if on {
			return []byte{1}, nil
		}
		return []byte{0}, nil
	case uint8s, uint16s, uint32s, int32s, nodeType:
		return encodeNumber(f, low, value)
	case uint16List:
		return encodeNumbers(low, value)
	case hexBytes:
		return encodeHex(value)
	case domain, domains:
		return encodeDomains(f, value)
	case routes:
		return encodeRoutes(value)
	case sipServers:
		return encodeSIP(value)
	case uriList:
		return encodeURIs(value)
	default:
		return encodeObject(f, value, depth)
	}
}

// wants says what a value of this form is written as.
func (f form) wants() string {
	switch f {
	case address:
		return "one IPv4 address"
	case addresses, slpAgents:
		return "an IPv4 address or a list of them"
	case pairs:
		return "a list of pairs of IPv4 addresses, such as [\"10.1.0.0 10.0.0.9\"]"
	case text, slpScope:
		return "text"
	case boolean:
		return "true or false"
	case uint16List:
		return "a whole number or a list of them, up to 65535"
	case hexBytes:
		return "bytes in hex, such as \"0a:0b:0c\""
	case domain:
		return "one domain name"
	case domains:
		return "a domain name or a list of them"
	case routes:
		return "a list of routes, such as [\"10.1.0.0/16,10.0.0.9\"]"
	case sipServers:
		return "a list of IPv4 addresses, or of domain names"
	case uriList:
		return "a URI or a list of them"
	case nodeType:
		return "1 (B-node), 2 (P-node), 4 (M-node) or 8 (H-node)"
	case vendorClasses:
		return "an object from enterprise number to text"
	case vendorOptions:
		return "an object from enterprise number to sub-options, such as {\"9\": {\"1\": \"text\"}}"
	case subOptions:
		return "an object from sub-option number to value, or {text: ...}"
	}
	return "a whole number"
}

// namedForm reads an object with one key that is the name of a form.
func namedForm(value any) (f form, inner any, ok bool) {
	object, isObject := value.(map[string]any)
	if !isObject || len(object) != 1 {
		return 0, nil, false
	}
	for key, inner := range object {
		f, ok = formNames[key]
		return f, inner, ok
	}
	return 0, nil, false
}

// encodePlain encodes a value whose form nothing tells, as in sub-options. What
// could be two things has to say which.
func encodePlain(value any) ([]byte, error) {
	switch v := value.(type) {
	case bool:
		return encodeForm(boolean, 0, v, 0)
	case []any:
		return encodeAddresses(addresses, v)
	case string:
		if _, err := netip.ParseAddr(v); err == nil {
			return nil, fmt.Errorf("%s is an address of 4 bytes or text: write {address: %s} or {text: %s}", show(v), v, v)
		}
		return encodeText(v)
	case map[string]any:
		return nil, fmt.Errorf("want one of the keys %s", strings.Join(slices.Sorted(maps.Keys(formNames)), ", "))
	}
	if _, err := whole(value); err == nil {
		return nil, fmt.Errorf("a number needs its width: write {uint8: %v}, {uint16: %[1]v} or {uint32: %[1]v}", value)
	}
	return nil, fmt.Errorf("want text, a list of addresses, true or false, or a named form such as {hex: \"0a0b\"}, not %s", show(value))
}

func encodeText(value any) ([]byte, error) {
	s, ok := value.(string)
	switch {
	case !ok:
		return nil, fmt.Errorf("want text, not %s", show(value))
	case s == "":
		return nil, errors.New("want text, not an empty one")
	case strings.ContainsRune(s, 0):
		return nil, errors.New("want text without NUL: clients end it there")
	}
	return []byte(s), nil
}

// each returns the elements of a list; one value that is no list counts as one.
func each(value any) []any {
	if list, ok := value.([]any); ok {
		return list
	}
	return []any{value}
}

func parseAddress(value any) (netip.Addr, error) {
	s, _ := value.(string)
	addr, err := netip.ParseAddr(s)
	if err != nil || !addr.Is4() {
		return addr, fmt.Errorf("%s is no IPv4 address", show(value))
	}
	return addr, nil
}

// encodeAddresses encodes IPv4 addresses one after another. A pair may be written
// as text, its addresses apart by blanks, commas or slashes.
func encodeAddresses(f form, value any) ([]byte, error) {
	if _, list := value.([]any); list && f == address {
		return nil, fmt.Errorf("want %s, not a list", f.wants())
	}
	list := each(value)
	if f == pairs {
		list = split(list)
		if len(list)%2 != 0 {
			return nil, fmt.Errorf("want %s: one has no second address", f.wants())
		}
	}
	var b []byte
	if f == slpAgents {
		b = append(b, 0) // not mandatory, RFC 2610 section 3
	}
	for _, v := range list {
		addr, err := parseAddress(v)
		if err != nil {
			return nil, fmt.Errorf("want %s: %w", f.wants(), err)
		}
		b = append(b, addr.AsSlice()...)
	}
	return b, nil
}

// split takes texts apart at blanks, commas and slashes.
func split(list []any) (parts []any) {
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			parts = append(parts, each(v)...)
			continue
		}
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '/' }) {
			parts = append(parts, part)
		}
	}
	return parts
}

// whole returns a whole number, whichever way the decoder keeps numbers.
func whole(value any) (int64, error) {
	switch n := value.(type) {
	case json.Number:
		return n.Int64()
	case float64:
		if n == math.Trunc(n) && math.Abs(n) < 1<<53 {
			return int64(n), nil
		}
	case int:
		return int64(n), nil
	case int64:
		return n, nil
	case uint64:
		if n <= math.MaxInt64 {
			return int64(n), nil
		}
	}
	return 0, fmt.Errorf("%s is no whole number", show(value))
}

func encodeNumber(f form, low int64, value any) ([]byte, error) {
	width, high := 4, int64(math.MaxUint32)
	switch f {
	case uint8s:
		width, high = 1, math.MaxUint8
	case uint16s:
		width, high = 2, math.MaxUint16
	case int32s:
		low, high = math.MinInt32, math.MaxInt32
	case nodeType:
		width, low, high = 1, 1, 8
	}
	n, err := whole(value)
	if err != nil || n < low || n > high {
		return nil, fmt.Errorf("want a whole number from %d to %d, not %s", low, high, show(value))
	}
	if f == nodeType && n&(n-1) != 0 {
		return nil, fmt.Errorf("want %s, not %d", f.wants(), n)
	}
	return binary.BigEndian.AppendUint32(nil, uint32(n))[4-width:], nil //nolint:gosec // G115: in range
}

func encodeNumbers(low int64, value any) (b []byte, err error) {
	for _, v := range each(value) {
		n, err := encodeNumber(uint16s, low, v)
		if err != nil {
			return nil, err
		}
		b = append(b, n...)
	}
	return b, nil
}

// encodeHex reads hex digits, with or without 0x and colons, dashes or blanks.
func encodeHex(value any) ([]byte, error) {
	s, ok := value.(string)
	digits := strings.NewReplacer(":", "", "-", "", " ", "").Replace(strings.TrimPrefix(s, "0x"))
	b, err := hex.DecodeString(digits)
	if !ok || err != nil {
		return nil, fmt.Errorf("want %s, not %s", hexBytes.wants(), show(value))
	}
	return b, nil
}

// encodeHexFor checks that bytes in hex have the length that the form has.
func encodeHexFor(f form, value any) ([]byte, error) {
	b, err := encodeHex(value)
	if err != nil {
		return nil, err
	}
	unit, many := 1, true
	switch f {
	case boolean, uint8s, nodeType:
		many = false
	case uint16s:
		unit, many = 2, false
	case address, uint32s, int32s:
		unit, many = 4, false
	case addresses:
		unit = 4
	case uint16List:
		unit = 2
	case pairs:
		unit = 8
	}
	if len(b)%unit != 0 || !many && len(b) != unit {
		return nil, fmt.Errorf("%d bytes in hex do not make %s", len(b), f.wants())
	}
	return b, nil
}

// encodeDomains encodes names as labels without compression, which every reader of
// RFC 3397 takes, too.
func encodeDomains(f form, value any) (b []byte, err error) {
	if _, list := value.([]any); list && f == domain {
		return nil, fmt.Errorf("want %s, not a list", f.wants())
	}
	for _, v := range each(value) {
		if b, err = appendDomain(b, v); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func appendDomain(b []byte, value any) ([]byte, error) {
	s, _ := value.(string)
	name := strings.TrimSuffix(s, ".")
	if name == "" || len(name) > 253 {
		return nil, fmt.Errorf("%s is no domain name of 1 to 253 characters", show(value))
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, fmt.Errorf("%s is no domain name: each label has 1 to 63 ASCII characters", show(value))
		}
		b = append(append(b, byte(len(label))), label...) //nolint:gosec // G115: at most 63
	}
	return append(b, 0), nil
}

// encodeRoutes encodes "destination,gateway" as RFC 3442 has it.
func encodeRoutes(value any) (b []byte, err error) {
	for _, v := range each(value) {
		s, _ := v.(string)
		to, via, _ := strings.Cut(s, ",")
		prefix, err := netip.ParsePrefix(strings.TrimSpace(to))
		if err != nil || !prefix.Addr().Is4() {
			return nil, fmt.Errorf("want %s, not %s", routes.wants(), show(v))
		}
		router, err := parseAddress(strings.TrimSpace(via))
		if err != nil {
			return nil, fmt.Errorf("want %s: %w", routes.wants(), err)
		}
		b = append(b, byte(prefix.Bits())) //nolint:gosec // G115: at most 32
		b = append(b, prefix.Masked().Addr().AsSlice()[:(prefix.Bits()+7)/8]...)
		b = append(b, router.AsSlice()...)
	}
	return b, nil
}

// encodeSIP encodes addresses behind a 1, or names behind a 0.
func encodeSIP(value any) ([]byte, error) {
	if b, err := encodeAddresses(addresses, value); err == nil {
		return append([]byte{1}, b...), nil
	}
	b, err := encodeDomains(domains, value)
	if err != nil {
		return nil, fmt.Errorf("want %s: %w", sipServers.wants(), err)
	}
	return append([]byte{0}, b...), nil
}

func encodeURIs(value any) (b []byte, err error) {
	for _, v := range each(value) {
		uri, err := encodeText(v)
		if err != nil {
			return nil, fmt.Errorf("want %s: %w", uriList.wants(), err)
		}
		b = binary.BigEndian.AppendUint16(b, uint16(min(len(uri), math.MaxUint16)))
		b = append(b, uri...)
	}
	return b, nil
}

// encodeObject encodes sub-options, or the data of enterprises, in the order of
// their numbers.
func encodeObject(f form, value any, depth int) ([]byte, error) {
	object, ok := value.(map[string]any)
	switch {
	case !ok || len(object) == 0:
		return nil, fmt.Errorf("want %s, not %s", f.wants(), show(value))
	case depth == maxDepth:
		return nil, fmt.Errorf("sub-options lie more than %d deep", maxDepth)
	}
	numbers := make(map[uint32]any, len(object))
	bits := 32
	if f == subOptions {
		bits = 8
	}
	for key, v := range object {
		n, err := strconv.ParseUint(key, 10, bits)
		if err != nil || f == subOptions && n == 255 {
			return nil, fmt.Errorf("%s is no number of a sub-option (0 to 254) or of an enterprise: want %s", show(key), f.wants())
		}
		number := uint32(n) //nolint:gosec // G115: read as such
		if _, twice := numbers[number]; twice {
			return nil, fmt.Errorf("%d stands there twice", n)
		}
		if v != nil { // null hides that of another context
			numbers[number] = v
		}
	}
	var b []byte
	for _, n := range slices.Sorted(maps.Keys(numbers)) {
		inner := explicit
		if f == vendorOptions {
			inner = subOptions
		}
		v, err := encodeForm(inner, 0, numbers[n], depth+1)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%d: %w", n, err)
		case len(v) > maxValue:
			return nil, fmt.Errorf("%d: the value has %d bytes, and at most %d fit", n, len(v), maxValue)
		case f == subOptions:
			b = append(b, byte(n)) //nolint:gosec // G115: at most 254
		default:
			b = binary.BigEndian.AppendUint32(b, n)
		}
		b = append(append(b, byte(len(v))), v...) //nolint:gosec // G115: at most 255
	}
	return b, nil
}

// show writes a value for a message, cut where it is long.
func show(value any) string {
	b, err := json.Marshal(value)
	if err != nil {
		return "a value that is no JSON"
	}
	if len(b) > 60 {
		return strings.ToValidUTF8(string(b[:60]), "") + "..."
	}
	return string(b)
}
