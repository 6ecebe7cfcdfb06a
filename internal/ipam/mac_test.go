package ipam

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseMAC(t *testing.T) {
	want := MAC{0x52, 0x54, 0x00, 0xab, 0xcd, 0xef}
	for _, text := range []string{
		"52:54:00:AB:CD:EF", "52:54:00:ab:cd:ef", "52-54-00-ab-cd-ef", "5254.00ab.cdef", "525400ABCDEF", "525400-abcdef",
	} {
		if got, err := ParseMAC(text); err != nil || got != want {
			t.Errorf("%q: %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{
		"", "52:54:00:ab:cd", "52:54:00:ab:cd:ef:01", "52:54:00:ab:cd:eg", "5:54:00:ab:cd:ef", "::", "52 54 00 ab cd ef", "52:54:00:ab:cd:é",
		"00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01", "52:54:00:ab:cd:ef ",
	} {
		if got, err := ParseMAC(text); err == nil || got != (MAC{}) || !strings.Contains(err.Error(), "MAC address") {
			t.Errorf("%q: %s, %v; want an error", text, got, err)
		}
	}
}

func TestMACRendersAsNetBoxDoes(t *testing.T) {
	m := MAC{0x0a, 0xb0, 0x00, 0xff, 0x10, 0x01}
	if got, want := m.String(), "0A:B0:00:FF:10:01"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	text, err := json.Marshal(map[string]MAC{"mac": m})
	if err != nil || string(text) != `{"mac":"0A:B0:00:FF:10:01"}` {
		t.Errorf("%s, %v", text, err)
	}
	var back map[string]MAC
	if err := json.Unmarshal(text, &back); err != nil || back["mac"] != m {
		t.Errorf("%v, %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"mac":"nonsense"}`), &back); err == nil {
		t.Error("nonsense was read as a MAC")
	}
}

// I-2
func TestUnicast(t *testing.T) {
	for text, want := range map[string]bool{
		"52:54:00:00:00:01": true,
		"00:00:00:00:00:01": true,
		"FE:FF:FF:FF:FF:FF": true,
		"00:00:00:00:00:00": false,
		"FF:FF:FF:FF:FF:FF": false,
		"01:00:5E:00:00:01": false,
		"33:33:00:00:00:01": false,
	} {
		m, err := ParseMAC(text)
		if err != nil || m.Unicast() != want {
			t.Errorf("%s: %v, %v; want %v", text, m.Unicast(), err, want)
		}
	}
}

func FuzzParseMAC(f *testing.F) {
	for _, seed := range []string{"52:54:00:ab:cd:ef", "5254.00ab.cdef", "52-54-00-AB-CD-EF", "525400abcdef", "", ":-.", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := ParseMAC(text)
		if err != nil {
			return
		}
		if again, err := ParseMAC(m.String()); err != nil || again != m {
			t.Errorf("%q is %s, which is %s, %v", text, m, again, err)
		}
		digits := strings.NewReplacer(":", "", "-", "", ".", "").Replace(text)
		if want := strings.ReplaceAll(m.String(), ":", ""); !strings.EqualFold(digits, want) {
			t.Errorf("%q was read as %s", text, m)
		}
	})
}
