// Package circuit reads what relays write into option 82: the port that a message
// came in by (circuit-id) and the switch (remote-id), as RFC 3046 leaves to each
// vendor. It says what the bytes may mean, and which interface name fits; it knows
// neither NetBox nor packets, and decides nothing.
package circuit

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
)

// Reading is one meaning that a circuit-id may have.
type Reading struct {
	Host string // the switch that it names; empty: none
	port port
	// anyType says that the bytes tell numbers and no type of interface; slots says
	// that a zero may stand between module and port, as in 1/0/5.
	anyType, slots bool
}

// String is the port as the reading has it, for people.
func (r Reading) String() string {
	if r.anyType {
		return "port " + r.port.numbers
	}
	return r.port.String()
}

// port is an interface name taken apart: ge-0/0/12:3.100 is type ge, numbers
// 0/0/12, channel 3, unit 100.
type port struct {
	kind    string // in full and in lower case; empty: none
	dash    bool   // a dash stands between type and numbers, as Junos writes it
	numbers string // without leading zeros
	channel string // of a port that is split into several
	unit    string // logical interface
}

func (p port) String() string {
	text := p.kind
	if p.dash {
		text += "-"
	}
	text += p.numbers
	if p.channel != "" {
		text += ":" + p.channel
	}
	if p.unit != "" {
		text += "." + p.unit
	}
	return text
}

// longName is the type of interface that relays and people shorten; others are long.
func longName(kind string) string {
	switch kind {
	case "fa":
		return "fastethernet"
	case "gi", "gig", "gigabiteth":
		return "gigabitethernet"
	case "tw":
		return "twogigabitethernet"
	case "fi":
		return "fivegigabitethernet"
	case "te", "ten", "tengige":
		return "tengigabitethernet"
	case "twe":
		return "twentyfivegige"
	case "fo":
		return "fortygigabitethernet"
	case "hu":
		return "hundredgige"
	case "e", "et", "eth":
		return "ethernet"
	case "po", "portchannel":
		return "port-channel"
	case "vl":
		return "vlan"
	}
	return kind
}

// maxText bounds what is read of a text; names in NetBox have 64 characters.
const maxText = 128

// Limits of a VLAN id, which tells a VLAN from other numbers in binary formats.
const (
	minVLAN = 1
	maxVLAN = 4094
)

// parsePort takes an interface name apart. All of s has to be one.
func parsePort(s string) (port, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	i := strings.IndexAny(s, "0123456789")
	if i < 0 || len(s) > maxText {
		return port{}, false
	}
	p := port{kind: strings.TrimRight(s[:i], " ")}
	if kind, dash := strings.CutSuffix(p.kind, "-"); dash {
		p.kind, p.dash = kind, true
	}
	if strings.ContainsFunc(p.kind, func(r rune) bool { return (r < 'a' || r > 'z') && r != '-' }) || p.dash && p.kind == "" {
		return port{}, false
	}
	if !p.dash {
		p.kind = longName(p.kind)
	}
	rest, unit, hasUnit := strings.Cut(s[i:], ".")
	rest, channel, hasChannel := strings.Cut(rest, ":")
	ok := true
	number := func(text string) string {
		if text == "" || len(text) > 9 || strings.Trim(text, "0123456789") != "" {
			ok = false
			return ""
		}
		if short := strings.TrimLeft(text, "0"); short != "" {
			return short
		}
		return "0"
	}
	var numbers []string
	for part := range strings.SplitSeq(rest, "/") {
		numbers = append(numbers, number(part))
	}
	p.numbers = strings.Join(numbers, "/")
	if hasUnit {
		p.unit = number(unit)
	}
	if hasChannel {
		p.channel = number(channel)
	}
	return p, ok
}

// Read returns all that a circuit-id may mean; none where no format fits. Templates
// come before parsers, which do not count where one of them fits.
func (f Formats) Read(id []byte) []Reading {
	var readings []Reading
	for _, text := range texts(id) {
		for _, t := range f.templates {
			if r, ok := t.read(text); ok {
				readings = append(readings, r)
			}
		}
	}
	if len(readings) > 0 {
		return readings
	}
	if f.has(ParserText) {
		for _, text := range texts(id) {
			readings = append(readings, readText(text)...)
		}
	}
	if r, parser := readBinary(id); parser != "" && f.has(parser) {
		readings = append(readings, r)
	}
	return readings
}

// texts are the texts that id may hold: all of it, or what follows a byte of type
// and a byte of length, as Cisco and Arista may write it.
func texts(id []byte) []string {
	var list []string
	if printable(id) {
		list = append(list, string(id))
	}
	if inner, ok := inner(id); ok && printable(inner) {
		list = append(list, string(inner))
	}
	return list
}

// inner is what follows a byte of type and the byte of its length.
func inner(id []byte) ([]byte, bool) {
	if len(id) < 3 || int(id[1]) != len(id)-2 {
		return nil, false
	}
	return id[2:], true
}

// Text is a circuit-id or remote-id for people: as text, or as hex: and its bytes.
func Text(id []byte) string {
	switch {
	case len(id) == 0:
		return "(none)"
	case printable(id):
		return string(id)
	}
	return "hex:" + hex.EncodeToString(id)
}

func printable(b []byte) bool {
	return len(b) > 0 && len(b) <= maxText && !slices.ContainsFunc(b, func(c byte) bool { return c < ' ' || c > '~' })
}

// readText reads [host:]port[:vlan], as Junos, EOS, NX-OS, IOS and CX write it.
// What stands behind a port and a colon may be a channel or a VLAN: both are
// meant, and the names of the switch tell which.
func readText(text string) []Reading {
	var readings []Reading
	add := func(host, name string) {
		if p, ok := parsePort(name); ok {
			readings = append(readings, Reading{Host: host, port: p})
		}
	}
	parts := strings.Split(text, ":")
	add("", text)
	switch len(parts) {
	case 2:
		add("", parts[0])
		add(parts[0], parts[1])
	case 3:
		add("", parts[0]+":"+parts[1])
		add(parts[0], parts[1])
		add(parts[0], parts[1]+":"+parts[2])
	case 4:
		add(parts[0], parts[1]+":"+parts[2])
	}
	return slices.DeleteFunc(readings, func(r Reading) bool { return r.Host == "" && len(parts) > 1 && r.port.kind == "" })
}

// readBinary reads the forms that are no text, and names the parser of the one that
// fits; empty: none does.
func readBinary(id []byte) (r Reading, parser string) {
	value, framed := inner(id)
	if !framed {
		value = id
	}
	switch {
	case framed && id[0] == 0 && len(value) == 4 && vlan(value[:2]):
		return Reading{port: port{numbers: fmt.Sprintf("%d/%d", value[2], value[3])}, anyType: true, slots: true}, ParserCisco
	case len(value) == 4 && value[0] == 0x1a && value[2]&0x0f == 0 && value[3] == 0:
		index := binary.BigEndian.Uint32(value)
		return Reading{port: port{kind: "ethernet", numbers: fmt.Sprintf("%d/%d", index>>19&0x1f+1, index>>12&0x7f+1)}}, ParserNexus
	case !framed && len(value) == 2 && !printable(value):
		return Reading{port: port{numbers: fmt.Sprint(binary.BigEndian.Uint16(value))}}, ParserProCurve
	}
	return Reading{}, ""
}

func vlan(b []byte) bool {
	id := binary.BigEndian.Uint16(b)
	return id >= minVLAN && id <= maxVLAN
}

// Ports are the names of a switch's interfaces, taken apart once.
type Ports struct {
	ports     []port
	byNumbers map[string][]int // positions, of names that are ports
}

// NewPorts takes names apart.
func NewPorts(names []string) *Ports {
	p := &Ports{ports: make([]port, len(names)), byNumbers: make(map[string][]int)}
	for i, name := range names {
		one, ok := parsePort(name)
		if p.ports[i] = one; ok {
			p.byNumbers[one.numbers] = append(p.byNumbers[one.numbers], i)
		}
	}
	return p
}

// Match returns the position of the one name that the readings fit. It reports
// false where none or several fit. A name that has the unit comes before the port
// that the unit is of.
func (p *Ports) Match(readings []Reading) (int, bool) {
	position, found := 0, false
	for _, r := range readings {
		exact := p.matching(r)
		if len(exact) == 0 && r.port.unit != "" {
			r.port.unit = ""
			exact = p.matching(r)
		}
		for _, i := range exact {
			if found && i != position {
				return 0, false
			}
			position, found = i, true
		}
	}
	return position, found
}

func (p *Ports) matching(r Reading) []int {
	var list []int
	add := func(numbers string) {
		for _, i := range p.byNumbers[numbers] {
			if r.fits(p.ports[i]) {
				list = append(list, i)
			}
		}
	}
	add(r.port.numbers)
	if r.slots {
		add(r.withSlot())
	}
	return list
}

// withSlot is the numbers with a slot of 0 between module and port.
func (r Reading) withSlot() string {
	module, number, _ := strings.Cut(r.port.numbers, "/")
	return module + "/0/" + number
}

func (r Reading) fits(p port) bool {
	if !r.anyType {
		return r.port == p
	}
	if p.channel != "" || p.unit != "" || p.kind == "vlan" || p.kind == "port-channel" {
		return false
	}
	return p.numbers == r.port.numbers || r.slots && p.numbers == r.withSlot()
}
