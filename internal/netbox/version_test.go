package netbox

import (
	"fmt"
	"net/http"
	"testing"
)

func TestVersionsAreReadInAllTheirForms(t *testing.T) {
	for text, want := range map[string]Version{
		"4.7": {4, 7}, "4.7.3": {4, 7}, "v4.2.9": {4, 2}, "4.3.0-Docker-3.3.0": {4, 3}, "4.7-beta1": {4, 7}, "5.0.0": {5, 0},
	} {
		got, err := parseVersion(text)
		if err != nil || got != want {
			t.Errorf("%q is %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "4", "four.seven", "4.x", "-4.2", "4.99999999999"} {
		if v, err := parseVersion(text); err == nil {
			t.Errorf("%q was read as %v", text, v)
		}
	}
}

func TestTheVersionIsAskedForWhereNoHeaderTellsIt(t *testing.T) {
	c := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"netbox-version":"4.5.10","django-version":"5.2"}`)
	})
	v, err := c.Version(t.Context())
	if err != nil || v != (Version{4, 5}) {
		t.Errorf("got %v, %v; want 4.5", v, err)
	}
}
