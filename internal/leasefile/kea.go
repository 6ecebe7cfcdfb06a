package leasefile

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// States of a lease of Kea. Those that are higher are ended, too.
const (
	keaDefault  = 0
	keaDeclined = 1
)

// keaForever is the valid lifetime of a lease that does not end.
const keaForever = 1<<32 - 1

// keaColumns are those that a file has to have.
func keaColumns() []string {
	return []string{"address", "hwaddr", "client_id", "valid_lifetime", "expire", "hostname", "state"}
}

// kea reads a memfile: a header, then a row for each change of a lease.
func (f *File) kea(r io.Reader) error {
	var columns map[string]int
	width := 0
	bad := false // there is no header, which is told once
	return f.eachLine(r, func(number int, line string) {
		if line = strings.TrimPrefix(line, "\ufeff"); line == "" || bad {
			return
		}
		cells := strings.Split(line, ",")
		if columns == nil {
			columns, width = make(map[string]int), len(cells)
			for i, name := range cells {
				columns[strings.TrimSpace(name)] = i
			}
			for _, name := range keaColumns() {
				if _, ok := columns[name]; !ok {
					f.problem(number, "the header has no column %s: want the file of Kea's memfile with its first line, %s,...", name, strings.Join(keaColumns(), ","))
					bad = true
				}
			}
			return
		}
		if len(cells) < width {
			f.problem(number, "the row has %d columns, and the header has %d: it was not written to its end", len(cells), width)
			return
		}
		e, err := keaRow(func(name string) string { return cells[columns[name]] })
		if errors.Is(err, errNot4) {
			f.Others++
			return
		}
		if err != nil {
			f.problem(number, "%v", err)
			return
		}
		e.Line = number
		f.add(e)
	})
}

// keaRow reads one row.
func keaRow(cell func(name string) string) (e Entry, err error) {
	if e.Addr, err = parseAddr(cell("address")); err != nil {
		return e, err
	}
	numbers := make(map[string]int64)
	for _, name := range []string{"valid_lifetime", "expire", "state"} {
		numbers[name], err = strconv.ParseInt(cell(name), 10, 64)
		if err != nil || numbers[name] < 0 || numbers[name] > maxTime {
			return e, fmt.Errorf("column %s: want a number, not %.60q", name, cell(name))
		}
	}
	lifetime, expire := numbers["valid_lifetime"], numbers["expire"]
	switch state := numbers["state"]; {
	case lifetime == 0: // deleted
		e.State = Ended
	case state == keaDefault:
		e.State = Leased
	case state == keaDeclined:
		e.State = Abandoned
	default:
		e.State = Ended
	}
	if lifetime != keaForever || e.State != Leased {
		e.Ends = time.Unix(expire, 0).UTC()
		e.Since = time.Unix(max(expire-lifetime, 0), 0).UTC()
	}
	if e.State != Leased {
		return e, nil // Kea empties the client of a declined address
	}
	if text := cell("hwaddr"); text != "" {
		if e.Hardware, err = hardware(text); err != nil {
			return e, fmt.Errorf("column hwaddr: %w", err)
		}
	}
	if text := cell("client_id"); text != "" && !slices.Contains([]string{"00", "0"}, text) {
		if e.ClientID, err = parseHex(text); err != nil {
			return e, fmt.Errorf("column client_id: %w", err)
		}
	}
	e.Name = keaText(cell("hostname"))
	return e, nil
}

// keaText is a text without Kea's escapes, &#x and two digits.
func keaText(text string) string {
	before, rest, escaped := strings.Cut(text, "&#x")
	if !escaped {
		return text
	}
	var b strings.Builder
	for escaped {
		b.WriteString(before)
		if len(rest) >= 2 {
			if n, err := strconv.ParseUint(rest[:2], 16, 8); err == nil {
				b.WriteByte(byte(n))
				before, rest, escaped = strings.Cut(rest[2:], "&#x")
				continue
			}
		}
		b.WriteString("&#x")
		before, rest, escaped = strings.Cut(rest, "&#x")
	}
	b.WriteString(before)
	return b.String()
}

// keaEscaped is text as Kea writes it.
func keaEscaped(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; c == ',' || c < ' ' || c == '&' {
			fmt.Fprintf(&b, "&#x%02x", c)
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}
