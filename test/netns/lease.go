//go:build linux

package netns

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Lease is what a client program says it was given. Fields the server did not send, or the program
// did not ask for or does not tell, are zero.
type Lease struct {
	Addr       netip.Prefix // yiaddr with option 1
	Routers    []netip.Addr // option 3
	DNS        []netip.Addr // option 6
	Domain     string       // option 15
	Search     []string     // option 119, without the final dots
	NTP        []netip.Addr // option 42
	Routes     []Route      // option 121
	MTU        int          // option 26
	Hostname   string       // option 12
	ServerID   netip.Addr   // option 54
	Time       time.Duration
	Siaddr     netip.Addr // the header field; dhcpcd does not tell it
	File       string     // the header field
	TFTPServer string     // option 66
	BootFile   string     // option 67
	// Env is all the program told its script, by the program's own names.
	Env map[string]string
}

// Route is one classless static route (RFC 3442).
type Route struct {
	To  netip.Prefix
	Via netip.Addr
}

// fields reads a program's variables and keeps the first thing that is wrong with them. An absent
// variable gives the zero value.
type fields struct {
	env map[string]string
	err error
}

func (f *fields) fail(key string, err error) {
	if f.err == nil {
		f.err = fmt.Errorf("lease variable %s=%q: %w", key, f.env[key], err)
	}
}

func (f *fields) addr(key string) netip.Addr {
	if f.env[key] == "" {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(f.env[key])
	if err != nil {
		f.fail(key, err)
	}
	return addr
}

func (f *fields) addrs(key string) []netip.Addr {
	var list []netip.Addr
	for word := range strings.FieldsSeq(f.env[key]) {
		addr, err := netip.ParseAddr(word)
		if err != nil {
			f.fail(key, err)
			return nil
		}
		list = append(list, addr)
	}
	return list
}

func (f *fields) number(key string) int {
	if f.env[key] == "" {
		return 0
	}
	n, err := strconv.Atoi(f.env[key])
	if err != nil {
		f.fail(key, err)
	}
	return n
}

func (f *fields) seconds(key string) time.Duration {
	return time.Duration(f.number(key)) * time.Second
}

// prefix joins an address and its mask, which is a length or dotted; without a mask it is a host.
func (f *fields) prefix(addrKey, maskKey string) netip.Prefix {
	addr := f.addr(addrKey)
	if !addr.IsValid() {
		f.fail(addrKey, errors.New("no address"))
		return netip.Prefix{}
	}
	mask := f.env[maskKey]
	bits := addr.BitLen()
	switch {
	case mask == "":
	case strings.Contains(mask, "."):
		bits = maskBits(f.addr(maskKey))
	default:
		bits = f.number(maskKey)
	}
	p := netip.PrefixFrom(addr, bits)
	if !p.IsValid() {
		f.fail(maskKey, errors.New("no subnet mask"))
	}
	return p
}

// maskBits is the length of a dotted mask, -1 if its ones are not in front.
func maskBits(mask netip.Addr) int {
	if !mask.Is4() {
		return -1
	}
	b := mask.As4()
	text := fmt.Sprintf("%08b%08b%08b%08b", b[0], b[1], b[2], b[3])
	ones := strings.TrimRight(text, "0")
	if strings.Contains(ones, "0") {
		return -1
	}
	return len(ones)
}

func (f *fields) search(key string) []string {
	var list []string
	for word := range strings.FieldsSeq(f.env[key]) {
		list = append(list, strings.TrimSuffix(word, "."))
	}
	return list
}

// routes reads pairs of a prefix and a router.
func (f *fields) routes(key string) []Route {
	words := strings.Fields(f.env[key])
	if len(words)%2 != 0 {
		f.fail(key, errors.New("a destination without a router"))
		return nil
	}
	var list []Route
	for i := 0; i < len(words); i += 2 {
		to, err := netip.ParsePrefix(words[i])
		if err != nil {
			f.fail(key, err)
			return nil
		}
		via, err := netip.ParseAddr(words[i+1])
		if err != nil {
			f.fail(key, err)
			return nil
		}
		list = append(list, Route{To: to, Via: via})
	}
	return list
}

// encodedRoutes reads option 121 as decimal bytes: a length, the significant bytes of the
// destination, the router (RFC 3442).
func (f *fields) encodedRoutes(key string) []Route {
	var raw []byte
	for word := range strings.FieldsSeq(f.env[key]) {
		b, err := strconv.ParseUint(word, 10, 8)
		if err != nil {
			f.fail(key, err)
			return nil
		}
		raw = append(raw, byte(b))
	}
	var list []Route
	for len(raw) > 0 {
		bits := int(raw[0])
		significant := (bits + 7) / 8
		if bits > 32 || len(raw) < 1+significant+4 {
			f.fail(key, errors.New("not a list of classless routes"))
			return nil
		}
		var to [4]byte
		copy(to[:], raw[1:1+significant])
		via := netip.AddrFrom4([4]byte(raw[1+significant : 5+significant]))
		list = append(list, Route{To: netip.PrefixFrom(netip.AddrFrom4(to), bits), Via: via})
		raw = raw[5+significant:]
	}
	return list
}
