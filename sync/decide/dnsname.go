package decide

import (
	"strings"
	"unicode"

	"github.com/mozillazg/go-unidecode"
)

// maxDNSName is how many characters NetBox takes for a dns_name.
const maxDNSName = 255

// DNSName makes of a host name, which may be any text, one that NetBox takes
// as dns_name, or nothing if no letter and no digit is left
// (rule 3.6). A name it made it leaves as it is, so that comparing
// after it finds no difference a second time.
func DNSName(hostname string) string {
	var labels []string
	length := -1
	for label := range strings.SplitSeq(strings.TrimSpace(hostname), ".") {
		label = dnsLabel(label)
		if label == "" {
			continue
		}
		if length+1+len(label) > maxDNSName {
			if len(labels) == 0 { // there is no boundary to cut at
				labels = append(labels, strings.TrimRight(label[:maxDNSName], "-"))
			}
			break
		}
		labels = append(labels, label)
		length += 1 + len(label)
	}
	name := strings.Join(labels, ".")
	if !strings.ContainsFunc(name, func(r rune) bool { return r != '.' && r != '-' && r != '_' }) {
		return ""
	}
	return name
}

// dnsLabel makes a label of [0-9a-z_-]. An internationalised one is kept: its
// hyphens are part of the coding (RFC 5890, 2.3.2.1).
func dnsLabel(s string) string {
	var b strings.Builder
	foreign := false
	for _, r := range strings.ToLower(s) {
		if inLabel(r) {
			b.WriteRune(r)
			continue
		}
		foreign = true
		b.WriteString(spelt(r))
	}
	label := b.String()
	if foreign || !strings.HasPrefix(label, "xn--") {
		label = collapse(label)
	}
	return strings.Trim(label, "-")
}

// spelt writes a character with those a label may have.
func spelt(r rune) string {
	ascii := strings.ToLower(strings.TrimSpace(unidecode.Unidecode(string(r))))
	if ascii == "" && unicode.Is(unicode.Mn, r) {
		return "" // a mark on the letter before it
	}
	if ascii == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if inLabel(r) {
			return r
		}
		return '-'
	}, ascii)
}

func inLabel(r rune) bool {
	return 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '_' || r == '-'
}

// collapse writes a row of hyphens as one.
func collapse(s string) string {
	for strings.Contains(s, "--") {
		s = strings.ReplaceAll(s, "--", "-")
	}
	return s
}
