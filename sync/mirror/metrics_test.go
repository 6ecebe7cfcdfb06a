package mirror

import "testing"

// C-42: a server cannot make up values of a label.
func TestAStatusThatHTTPDoesNotDefineCountsAsOther(t *testing.T) {
	for status, want := range map[int]string{0: "0", 200: "200", 503: "503", 299: "other", 987: "other", 65535: "other", -3: "other"} {
		if got := statusLabel(status); got != want {
			t.Errorf("%d counts as %s, want %s", status, got, want)
		}
	}
}
