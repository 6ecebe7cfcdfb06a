package circuit

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Names of the parsers.
const (
	ParserText     = "text"     // names of interfaces, as IOS, NX-OS, Junos, EOS and CX write them
	ParserCisco    = "cisco"    // VLAN, module and port in binary, of IOS and those that follow it
	ParserNexus    = "nexus"    // ifindex of NX-OS in binary
	ParserProCurve = "procurve" // port number in binary
)

// Formats are the forms in which circuit-ids are read. The zero value are all parsers.
type Formats struct {
	templates []Format
	parsers   []string // empty, without templates: all
}

// ParseFormats reads a list of names of parsers, and of templates (see ParseFormat):
// what is not listed is not read. An empty list stands for all parsers.
func ParseFormats(list []string) (Formats, error) {
	var f Formats
	for _, entry := range list {
		switch {
		case slices.Contains([]string{ParserText, ParserCisco, ParserNexus, ParserProCurve}, entry):
			f.parsers = append(f.parsers, entry)
		case strings.Contains(entry, "{"):
			t, err := ParseFormat(entry)
			if err != nil {
				return Formats{}, err
			}
			f.templates = append(f.templates, t)
		default:
			return Formats{}, fmt.Errorf("want text, cisco, nexus, procurve or a template such as \"{host} eth {port}:{vlan}\", not %.60q", entry)
		}
	}
	return f, nil
}

func (f Formats) has(parser string) bool {
	return len(f.templates) == 0 && len(f.parsers) == 0 || slices.Contains(f.parsers, parser)
}

// Format is a circuit-id of the settings, such as "{host} eth {port}:{vlan}".
type Format struct {
	text    string
	pattern *regexp.Regexp
}

// placeholder is the pattern that a part of a format stands for; empty: it is none.
func placeholder(name string) string {
	switch name {
	case "port":
		return `(?P<port>[^ ]+?)`
	case "host":
		return `(?P<host>[^ :]+)`
	case "vlan":
		return `[0-9]+`
	case "any":
		return `.*?`
	}
	return ""
}

// ParseFormat reads a format: text with the placeholders {port}, {host}, {vlan} and
// {any}. A format has exactly one {port} and at most one {host}, and a circuit-id
// has to fit it from its first byte to its last.
func ParseFormat(text string) (Format, error) {
	pattern, count, rest := "^", map[string]int{}, text
	for {
		before, after, open := strings.Cut(rest, "{")
		pattern += regexp.QuoteMeta(before)
		if !open {
			break
		}
		name, left, closed := strings.Cut(after, "}")
		part := placeholder(name)
		if !closed || part == "" {
			return Format{}, fmt.Errorf("want the placeholders {port}, {host}, {vlan} and {any} in a circuit format, not %.60q", text)
		}
		pattern, rest = pattern+part, left
		count[name]++
	}
	if count["port"] != 1 || count["host"] > 1 || len(text) > maxText {
		return Format{}, fmt.Errorf("want one {port}, at most one {host} and at most %d characters in a circuit format, not %.60q", maxText, text)
	}
	compiled, err := regexp.Compile(pattern + "$")
	if err != nil {
		return Format{}, fmt.Errorf("circuit format %.60q: %w", text, err)
	}
	return Format{text: text, pattern: compiled}, nil
}

// String is the text that the format was read from.
func (f Format) String() string { return f.text }

func (f Format) read(text string) (Reading, bool) {
	parts := f.pattern.FindStringSubmatch(text)
	if parts == nil {
		return Reading{}, false
	}
	r := Reading{}
	if i := f.pattern.SubexpIndex("host"); i >= 0 {
		r.Host = parts[i]
	}
	p, ok := parsePort(parts[f.pattern.SubexpIndex("port")])
	r.port = p
	return r, ok
}
