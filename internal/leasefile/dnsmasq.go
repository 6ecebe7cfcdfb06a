package leasefile

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// isDnsmasq reports whether five words are a line of dnsmasq.
func isDnsmasq(words []string) bool {
	_, timeErr := strconv.ParseUint(words[0], 10, 63)
	_, addrErr := parseAddr(words[2])
	return timeErr == nil && addrErr == nil
}

// earliest is a time of day that lies before all leases: what is less is a span of time.
const earliest = 1_000_000_000

// dnsmasq reads lines of end, MAC, address, name and client identifier.
func (f *File) dnsmasq(r io.Reader) error {
	return f.eachLine(r, func(number int, line string) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "duid" { // begins the IPv6 part
			return
		}
		if len(words) != 5 {
			f.problem(number, "want five words: end, MAC, address, name and client identifier, not %d", len(words))
			return
		}
		e := Entry{Line: number, State: Leased}
		var err error
		if e.Addr, err = parseAddr(words[2]); err != nil {
			if errors.Is(err, errNot4) {
				f.Others++
			} else {
				f.problem(number, "third word: %v", err)
			}
			return
		}
		ends, err := strconv.ParseInt(words[0], 10, 64)
		switch {
		case err != nil || ends < 0 || ends > maxTime:
			f.problem(number, "first word: want seconds since 1970, or 0 for a lease that does not end, not %.60q", words[0])
			return
		case ends != 0 && ends < earliest:
			f.problem(number, "first word: %d is a span and no time: this dnsmasq keeps no time of day; write the time of its end", ends)
			return
		case ends != 0:
			e.Ends = time.Unix(ends, 0).UTC()
		}
		mac := words[1]
		if kind, rest, typed := strings.Cut(mac, "-"); typed && len(kind) == 2 { // of another hardware type than Ethernet
			mac = rest
		}
		if mac != "*" {
			if e.Hardware, err = hardware(mac); err != nil {
				f.problem(number, "second word: %v", err)
				return
			}
		}
		if words[3] != "*" {
			e.Name = words[3]
		}
		if words[4] != "*" {
			if e.ClientID, err = parseHex(words[4]); err != nil {
				f.problem(number, "fifth word: %v", err)
				return
			}
		}
		f.add(e)
	})
}

// maxTime is the last second of the year 9999, in seconds since 1970.
const maxTime = 253402300799
