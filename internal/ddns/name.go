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

// Names are the labels that NetBox has, and whose they are.
type Names map[string]owner

// owner is whose name a label is: that of a machine, or of whoever has an address.
type owner struct {
	machine ipam.MachineID
	addr    netip.Addr // invalid: a machine's
	several bool
}

// NamesOf lists the names of machines, and those that only the field dns_name of an
// address has: they belong to the machine that the address is assigned to, else to whoever
// has it. The mirror of Windows servers writes there what clients call themselves, so
// names of its addresses do not count (DNS-6).
func NamesOf(o *ipam.Objects) Names {
	names := make(Names, len(o.Machines))
	for id, m := range o.Machines {
		names.add(m.Name, owner{machine: id})
	}
	others := make(Names)
	for _, a := range o.Addresses {
		if a.DNSName == "" || a.Managed {
			continue
		}
		who := owner{addr: a.Address.Addr()}
		if port := o.Interfaces[a.Interface]; port != nil {
			who = owner{machine: port.Machine}
		}
		others.add(a.DNSName, who)
	}
	for label, who := range others {
		if _, known := names[label]; !known {
			names[label] = who
		}
	}
	return names
}

func (n Names) add(name string, who owner) {
	label, ok := Label(name)
	if !ok {
		return
	}
	have, known := n[label]
	who.several = have.several || known && (have.machine != who.machine || have.addr != who.addr)
	n[label] = who
}

// anothers reports whether NetBox has the label for another than the client.
func (n Names) anothers(label string, c *Client) bool {
	o, known := n[label]
	return known && (o.several || o.machine != c.Machine && !o.addr.IsValid() || o.addr.IsValid() && o.addr != c.Addr)
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
		if ok && !slices.Contains(forbidden(), label) && !slices.Contains(p.Forbidden, label) && !names.anothers(label, &c) {
			return label
		}
	}
	return ""
}

// fill writes an address into a template.
func fill(template string, addr netip.Addr) string {
	return strings.ReplaceAll(template, "{address}", strings.ReplaceAll(addr.String(), ".", "-"))
}
