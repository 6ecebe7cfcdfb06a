package ddns

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
)

// maxLabel is the longest label of a name, RFC 1035 section 2.3.4.
const maxLabel = 63

// Label makes one label of a host name (RFC 1123 section 2.1) out of a name that a
// client or NetBox gave; false: none can be made. The first label of a full name counts,
// in small letters; blanks and _ become hyphens, apostrophes go, letters outside of
// ASCII become an A-label (RFC 5891). Any other sign, a number, an address, and what is
// longer than 63 bytes make no label (DNS-5).
func Label(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if _, err := netip.ParseAddr(text); err == nil || !utf8.ValidString(text) {
		return "", false
	}
	text, _, _ = strings.Cut(text, ".")
	text = strings.Trim(strings.Map(func(r rune) rune {
		switch r {
		case '_', ' ':
			return '-'
		case '\'', '’':
			return -1
		}
		return r
	}, text), "-")
	if len(text) > 4*maxLabel {
		return "", false
	}
	label, err := idna.Lookup.ToASCII(strings.ToLower(text))
	if err != nil || !isLabel(label) {
		return "", false
	}
	return label, true
}

// isLabel reports whether a label may stand for a host.
func isLabel(label string) bool {
	if label == "" || len(label) > maxLabel || label[0] == '-' || label[len(label)-1] == '-' {
		return false
	}
	digits := 0
	for _, c := range []byte(label) {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c != '-' && (c < 'a' || c > 'z'):
			return false
		}
	}
	return digits < len(label)
}

// forbidden are names that hosts of a network are looked for by, whoever has them.
func forbidden() []string { return []string{"wpad", "isatap", "localhost"} }

// Names are the labels that NetBox's names of machines make.
type Names map[string]owner

// owner is whose name a label is.
type owner struct {
	machine ipam.MachineID
	several bool
}

// NamesOf lists the names of machines.
func NamesOf(machines map[ipam.MachineID]*ipam.Machine) Names {
	names := make(Names, len(machines))
	for id, m := range machines {
		label, ok := Label(m.Name)
		if !ok {
			continue
		}
		have, known := names[label]
		names[label] = owner{machine: id, several: have.several || known && have.machine != id}
	}
	return names
}

// anothers reports whether NetBox has the label for another machine than the given one.
func (n Names) anothers(label string, machine ipam.MachineID) bool {
	o, known := n[label]
	return known && (o.several || o.machine != machine)
}

// choose returns the first name that the sources give and that the client may have;
// empty: none (DNS-4, DNS-6).
func (p *Policy) choose(names Names, c Client) string {
	for _, source := range p.Sources {
		label, ok := "", false
		switch source {
		case FromNetBox:
			if c.MachineName != "" {
				label, ok = Label(c.MachineName)
			}
		case FromClient:
			label, ok = Label(c.Hostname)
		case FromTemplate:
			label, ok = Label(fill(p.Template, c.Addr))
		}
		if ok && !slices.Contains(forbidden(), label) && !slices.Contains(p.Forbidden, label) && !names.anothers(label, c.Machine) {
			return label
		}
	}
	return ""
}

// fill writes an address into a template.
func fill(template string, addr netip.Addr) string {
	return strings.ReplaceAll(template, "{address}", strings.ReplaceAll(addr.String(), ".", "-"))
}
