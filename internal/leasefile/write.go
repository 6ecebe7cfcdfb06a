package leasefile

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Write writes entries in a format that another server reads. What a format has no words
// for is left out: dnsmasq knows leases only. It returns how many entries were written.
func Write(w io.Writer, format Format, entries []Entry) (written int, err error) {
	out := bufio.NewWriter(w)
	switch format {
	case JSONL, DHCPD, Dnsmasq:
	case Kea:
		fmt.Fprintln(out, "address,hwaddr,client_id,valid_lifetime,expire,subnet_id,fqdn_fwd,fqdn_rev,hostname,state,user_context,pool_id")
	default:
		return 0, fmt.Errorf("no format to write: %q", format)
	}
	for _, e := range entries {
		ok := true
		switch format {
		case JSONL:
			err = e.writeJSON(out)
		case DHCPD:
			e.writeDHCPD(out)
		case Kea:
			e.writeKea(out)
		case Dnsmasq:
			ok = e.writeDnsmasq(out)
		}
		if err != nil {
			return written, err
		}
		if ok {
			written++
		}
	}
	return written, out.Flush()
}

func (e Entry) writeJSON(w io.Writer) error {
	l := jsonLease{Address: e.Addr, Client: e.Key, Hardware: e.Hardware, State: e.State.String(), Ends: e.Ends, Name: e.Name}
	if l.Client == "" {
		l.Client, l.Hardware = cmp.Or(e.Hardware, Hex(e.ClientID)), ""
	}
	line, err := json.Marshal(l)
	if err == nil {
		_, err = fmt.Fprintf(w, "%s\n", line)
	}
	return err
}

// identifier is the client identifier of an entry in bytes; "" for none.
func (e Entry) identifier() string {
	if e.ClientID != "" || e.Key == "" {
		return e.ClientID
	}
	bytes, _ := parseHex(strings.TrimPrefix(e.Key, keyPrefix)) // a key is hexadecimal
	return bytes
}

func (e Entry) writeDHCPD(w io.Writer) {
	state := map[State]string{Leased: "active", Abandoned: "abandoned", Withdrawn: "abandoned", Ended: "free"}[e.State]
	fmt.Fprintf(w, "lease %s {\n", e.Addr)
	if e.Ends.IsZero() {
		fmt.Fprintln(w, "  ends never;")
	} else {
		fmt.Fprintf(w, "  ends %d %s;\n", e.Ends.UTC().Weekday(), e.Ends.UTC().Format("2006/01/02 15:04:05"))
	}
	fmt.Fprintf(w, "  binding state %s;\n", state)
	if e.Hardware != "" {
		fmt.Fprintf(w, "  hardware ethernet %s;\n", strings.ToLower(e.Hardware))
	}
	if id := e.identifier(); id != "" {
		fmt.Fprintf(w, "  uid %s;\n", dhcpdText(id))
	}
	if e.Name != "" {
		fmt.Fprintf(w, "  client-hostname %s;\n", dhcpdText(e.Name))
	}
	fmt.Fprintln(w, "}")
}

// dhcpdText is a text in quotes, with the escapes of dhcpd.
func dhcpdText(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"', c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ', c > '~':
			fmt.Fprintf(&b, `\%03o`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func (e Entry) writeKea(w io.Writer) {
	state, lifetime, expire := keaDefault, int64(3600), e.Ends.Unix()
	switch {
	case e.State == Abandoned, e.State == Withdrawn:
		state = keaDeclined
	case e.State == Ended:
		state = 2 // expired-reclaimed
	case e.Ends.IsZero():
		lifetime, expire = keaForever, keaForever
	}
	id := strings.ToLower(Hex(e.identifier()))
	fmt.Fprintf(w, "%s,%s,%s,%d,%d,0,0,0,%s,%d,,0\n", e.Addr, strings.ToLower(e.Hardware), id, lifetime, expire, keaEscaped(e.Name), state)
}

func (e Entry) writeDnsmasq(w io.Writer) bool {
	if e.State != Leased {
		return false
	}
	ends, mac, name, id := int64(0), "*", "*", "*"
	if !e.Ends.IsZero() {
		ends = e.Ends.Unix()
	}
	if e.Hardware != "" {
		mac = strings.ToLower(e.Hardware)
	}
	if isName(e.Name) {
		name = e.Name
	}
	if bytes := e.identifier(); bytes != "" {
		id = strings.ToLower(Hex(bytes))
	}
	fmt.Fprintf(w, "%d %s %s %s %s\n", ends, mac, e.Addr, name, id)
	return true
}

// isName reports whether a name is one word of letters, digits, hyphens, underscores and
// dots, which is all that dnsmasq takes.
func isName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
