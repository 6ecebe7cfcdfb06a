// Package printable writes what people read: it makes text that came from the
// network safe to look at on a terminal, in a log and in a saved document, and
// puts numbers and nouns together. It must not judge or shorten text.
package printable

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Text makes text from the network safe to look at: control characters,
// among them those that steer terminals, and characters that turn the
// direction of writing are shown by their number.
func Text(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}

// JSON writes what is not printable in a JSON document by its number. There it
// stands only inside strings: line ends and blanks are ASCII.
func JSON(data []byte) []byte {
	var out bytes.Buffer
	for len(data) > 0 {
		r, size := utf8.DecodeRune(data)
		switch {
		case r == '\n' || strconv.IsPrint(r):
			out.Write(data[:size])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&out, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&out, `\u%04x`, r)
		}
		data = data[size:]
	}
	return out.Bytes()
}

// Count writes a number with its noun: "1 entry", "2 entries".
func Count(n int, one, many string) string { return fmt.Sprintf("%d %s", n, Noun(n, one, many)) }

// Noun is the noun for a number that stands elsewhere.
func Noun(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
