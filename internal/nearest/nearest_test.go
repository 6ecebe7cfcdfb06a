package nearest

import "testing"

func TestWord(t *testing.T) {
	known := []string{"time", "min", "max", "offer_hold", "URL"}
	for word, want := range map[string]string{
		"tiem": "time", "tim": "time", "offer-hold": "offer_hold", "oferhold": "offer_hold", "url": "URL",
		"mux": "max", "xyz": "", "": "", "timeouts": "",
	} {
		if got := Word(word, known); got != want {
			t.Errorf("Word(%q) = %q, want %q", word, got, want)
		}
	}
}
