package windhcp

import (
	"bytes"
	"strings"
	"testing"
)

// rule 3.9: the forms people write, and 9 row 32.
func TestClientIDsOfAnyFormGetTheSameCanonicalText(t *testing.T) {
	const want = ClientID("3c-52-82-0a-1b-2c")
	for _, text := range []string{
		"3c-52-82-0a-1b-2c", "3C-52-82-0A-1B-2C", "3c:52:82:0a:1b:2c", "3c52.820a.1b2c", "3C52820A1B2C", " 3c-52-82-0a-1b-2c\n", "3c 52 82 0a 1b 2c",
	} {
		if have := ParseClientID(text); have != want || !have.Canonical() {
			t.Errorf("%q: %q, canonical %v, want %q", text, have, have.Canonical(), want)
		}
	}
}

// rule 3.9: identifiers are opaque; nothing is stripped, padded or
// cut.
func TestClientIDsKeepEveryByte(t *testing.T) {
	for _, text := range []string{
		"01-3c-52-82-0a-1b-2c",                                  // type and MAC
		"00-4c-4c-45-44-00-31-32-10-80-33-b7-c0-4f-34-35-31",    // UUID of PXE
		"ff-56-50-4d-98-00-02-00-00-ab-11-0c-ff-59-f8-fe-59-f1", // IAID and DUID
		"52-41-53-20-08-6a-9e-4f-01-00-00-00-00-00-00-00",       // RAS
		"00", "ff",
	} {
		id := ParseClientID(text)
		if string(id) != text || !id.Canonical() || len(id.Bytes()) != (len(text)+1)/3 {
			t.Errorf("%q: %q, canonical %v, %d bytes", text, id, id.Canonical(), len(id.Bytes()))
		}
	}
}

// rule 3.9: what is not hex pairs is stored as it is and never
// pushed.
func TestTextThatIsNoHexIsKeptAndNotCanonical(t *testing.T) {
	for _, text := range []string{"", "printer-7", "3c-52-8", "3c-52-82-0a-1b-2", "zz", "3c_52", "é0"} {
		id := ParseClientID(text)
		if string(id) != text || id.Canonical() {
			t.Errorf("%q: %q, canonical %v", text, id, id.Canonical())
		}
	}
	for _, raw := range []ClientID{"3C-52", "3c52", "3c:52", "3c-5-2"} {
		if raw.Canonical() {
			t.Errorf("%q is called canonical", raw)
		}
	}
}

// rule 3.9: 16 bytes or more that begin with "RAS ".
func TestOnlyLongIdentifiersOfRemoteAccessServersAreRAS(t *testing.T) {
	for text, want := range map[string]bool{
		"52-41-53-20-08-6a-9e-4f-01-00-00-00-00-00-00-00":    true,
		"52-41-53-20-08-6a-9e-4f-01-00-00-00-00-00-00-00-01": true,
		"52-41-53-20-08-6a": false,
		"52-41-53-21-08-6a-9e-4f-01-00-00-00-00-00-00-00": false,
		"RAS and more text than sixteen":                  false,
	} {
		if have := ParseClientID(text).RAS(); have != want {
			t.Errorf("%q: %v, want %v", text, have, want)
		}
	}
}

// rule 3.9: parsing twice changes nothing, and forms are compared
// by their bytes.
func FuzzClientID(f *testing.F) {
	for _, seed := range []string{"3c-52-82-0a-1b-2c", "3C52.820A.1B2C", "printer", "", " - ", "3c-52-8", "\xff", "0-0", "- 00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		id := ParseClientID(text)
		if again := ParseClientID(string(id)); again != id {
			t.Fatalf("%q: %q, then %q", text, id, again)
		}
		if !id.Canonical() {
			if string(id) != strings.TrimSpace(text) {
				t.Fatalf("%q was changed to %q", text, id)
			}
			return
		}
		other := ParseClientID(strings.ToUpper(strings.ReplaceAll(string(id), "-", ":")))
		if other != id || !bytes.Equal(other.Bytes(), id.Bytes()) {
			t.Fatalf("%q: %q and %q differ", text, id, other)
		}
	})
}
