package windhcp

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// OptionValue is a value of a standard option that every client gets, as plans write
// it.
type OptionValue struct {
	Code   int      `json:"code"`
	Values []string `json:"value"`
}

// Types of options whose values come back as they were sent, or as the same number
// (rule 5.6).
const (
	optionByte   = "Byte"
	optionWord   = "Word"
	optionDWord  = "DWord"
	optionIPv4   = "IPv4Address"
	optionString = "String"
)

// BuiltInType is the type that Windows gives an option, as far as the built-in
// definitions tell; empty: they do not. Each number counts as the widest one.
func BuiltInType(code int) string {
	types := map[string]string{"IPAddress": optionIPv4, "IPAddressList": optionIPv4, "DWORD": optionDWord, "String": optionString}
	definitions := BuiltInOptions()
	if i := slices.IndexFunc(definitions, func(d OptionDefinition) bool { return d.Code == code }); i >= 0 {
		return types[definitions[i].Type]
	}
	return ""
}

// ParseOption takes the text of an option apart, as NetBox keeps it: addresses and
// numbers are joined by commas, a text is one value. The error says why a server
// would refuse it or keep something else.
func ParseOption(kind, text string) ([]string, error) {
	switch kind {
	case optionString:
		if text == "" || len(text) > 255 || strings.TrimSpace(text) != text || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, fmt.Errorf("%q is no text of 1 to 255 printable ASCII characters without blanks at its ends", text)
		}
		return []string{text}, nil
	case optionIPv4, optionByte, optionWord, optionDWord:
	default:
		return nil, fmt.Errorf("values of type %s may come back otherwise than they were sent", kind)
	}
	var values []string
	for part := range strings.SplitSeq(text, ",") {
		value, ok := optionPart(kind, strings.TrimSpace(part))
		if !ok {
			return nil, fmt.Errorf("%q is no value of type %s", strings.TrimSpace(part), kind)
		}
		values = append(values, value)
	}
	return values, nil
}

// optionPart is one address or number as it is sent.
func optionPart(kind, text string) (string, bool) {
	if kind == optionIPv4 {
		addr, err := netip.ParseAddr(text)
		return text, err == nil && addr.Is4()
	}
	bits := map[string]int{optionByte: 8, optionWord: 16, optionDWord: 32}[kind]
	digits, base := text, 10
	if hex, ok := strings.CutPrefix(strings.ToLower(text), "0x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, bits)
	return strconv.FormatUint(n, 10), err == nil
}

// SameOption reports whether two texts of an option mean the same. Windows shows some
// numbers in hexadecimal.
func SameOption(kind, a, b string) bool {
	if a == b {
		return true
	}
	first, errA := ParseOption(kind, a)
	second, errB := ParseOption(kind, b)
	return errA == nil && errB == nil && slices.Equal(first, second)
}
