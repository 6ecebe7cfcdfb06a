package windhcp

import (
	"slices"
	"strings"
	"testing"
)

// rule 5.6: only what comes back as it was sent is a value to push.
func TestOptionTextsAreTakenApart(t *testing.T) {
	for _, c := range []struct {
		kind, text string
		want       []string // nil: refused
	}{
		{"IPv4Address", "10.1.1.1", []string{"10.1.1.1"}},
		{"IPv4Address", "10.1.1.1,10.1.1.2 , 10.1.1.3", []string{"10.1.1.1", "10.1.1.2", "10.1.1.3"}},
		{"IPv4Address", "", nil},
		{"IPv4Address", "10.1.1.1,", nil},
		{"IPv4Address", "10.1.1.01", nil},
		{"IPv4Address", "2001:db8::1", nil},
		{"IPv4Address", "ns.corp.example", nil},
		{"Byte", "8", []string{"8"}},
		{"Byte", "0x8", []string{"8"}},
		{"Byte", "0XfF", []string{"255"}},
		{"Byte", "010", []string{"10"}},
		{"Byte", "256", nil},
		{"Byte", "-1", nil},
		{"Byte", "1_0", nil},
		{"Byte", "0x", nil},
		{"Word", "1500, 65535", []string{"1500", "65535"}},
		{"Word", "65536", nil},
		{"DWord", "4294967295", []string{"4294967295"}},
		{"DWord", "4294967296", nil},
		{"String", "corp.example", []string{"corp.example"}},
		{"String", "a, b", []string{"a, b"}},
		{"String", "", nil},
		{"String", " a", nil},
		{"String", "a\nb", nil},
		{"String", "m\u00fcller", nil},
		{"String", strings.Repeat("a", 256), nil},
		{"DWordDWord", "1", nil},
		{"BinaryData", "0x01", nil},
		{"EncapsulatedData", "0x01", nil},
		{"IPv6Address", "2001:db8::1", nil},
		{"", "1", nil},
	} {
		got, err := ParseOption(c.kind, c.text)
		if (err == nil) != (c.want != nil) || !slices.Equal(got, c.want) {
			t.Errorf("%s %q: %q, %v; want %q", c.kind, c.text, got, err, c.want)
		}
	}
}

// rule 5.6: Windows shows some numbers in hexadecimal.
func TestEqualOptionsAreKnownInAnySpelling(t *testing.T) {
	for _, c := range []struct {
		kind, a, b string
		want       bool
	}{
		{"Byte", "0x8", "8", true},
		{"Byte", "0x8", "9", false},
		{"IPv4Address", "10.1.1.1,10.1.1.2", "10.1.1.1, 10.1.1.2", true},
		{"IPv4Address", "10.1.1.1, 10.1.1.2", "10.1.1.2, 10.1.1.1", false},
		{"String", "Corp.example", "corp.example", false},
		{"String", "0x8", "8", false},
		{"BinaryData", "0x8", "8", false},
		{"BinaryData", "x", "x", true},
	} {
		if got := SameOption(c.kind, c.a, c.b); got != c.want {
			t.Errorf("%s %q and %q: %v", c.kind, c.a, c.b, got)
		}
	}
}

// rule 5.6: the type of an option that a server does not list yet.
func TestBuiltInDefinitionsTellTypes(t *testing.T) {
	for code, want := range map[int]string{6: "IPv4Address", 16: "IPv4Address", 15: "String", 46: "DWord", 43: "", 121: "", 224: ""} {
		if got := BuiltInType(code); got != want {
			t.Errorf("option %d: %q, want %q", code, got, want)
		}
	}
}
