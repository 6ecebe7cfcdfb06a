package page

import (
	"encoding/hex"
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/docs/spec"
)

// WCAG 2.1, 1.4.3: text has a contrast of 4.5 to what it stands on.
func TestTextStandsOutInBothColourSchemes(t *testing.T) {
	light, dark, _ := strings.Cut(pageCSS, "prefers-color-scheme: dark")
	for scheme, css := range map[string]string{"light": light, "dark": dark[:strings.Index(dark, "\n}")]} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(css, -1) {
			colours[m[1]] = m[2]
		}
		for text, grounds := range map[string][]string{
			"ink": {"page", "card", "head", "after", "drift-bg"}, "soft": {"page", "card", "head", "after"}, "link": {"page", "card", "head"}, "on-link": {"link"},
			"good": {"good-bg"}, "drift": {"drift-bg", "card"}, "bad": {"bad-bg", "page"},
		} {
			for _, ground := range grounds {
				a, b := luminance(t, colours[text]), luminance(t, colours[ground])
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
					t.Errorf("%s: %s on %s has a contrast of %.1f", scheme, text, ground, ratio)
				}
			}
		}
	}
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	rgb, err := hex.DecodeString(strings.TrimPrefix(colour, "#"))
	if err != nil || len(rgb) != 3 {
		t.Fatalf("%q is no colour", colour)
	}
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}

func TestNumbersHaveTheirNoun(t *testing.T) {
	for n, want := range map[int]string{0: "0 leases", 1: "1 lease", 2: "2 leases", 1234567: "1\u202f234\u202f567 leases"} {
		if got := Count(n, "lease", "leases"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestRulesAreLinkedOnceTheyExist(t *testing.T) {
	rules := NewRules(func(r spec.Rule) string { return "#" + r.Anchor() })
	for id, want := range map[string]string{"3.7": "#37-cleanup-of-stale-addresses", "3.5 row 4": "#35-row-4-a-lease-without-an-address-in-netbox", "99.9": "", "": ""} {
		if got := rules.Ref(id); got.ID != id || got.Link != want || (got.Title == "") != (want == "") {
			t.Errorf("%q: %+v", id, got)
		}
	}
	if named := rules.Named(); len(named) != 2 || named[0].ID != "3.5 row 4" || named[1].ID != "3.7" {
		t.Errorf("%v", named)
	}
}

// No text of a rule may break a page: pages show it as it is.
func TestTheTextOfEachRuleStandsOnAPage(t *testing.T) {
	for _, r := range spec.All() {
		text, err := RuleText(r)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Text) > 0 && text == "" || strings.Contains(string(text), "style=") || strings.Contains(string(text), "href=") || strings.Contains(string(text), "<!--") {
			t.Errorf("rule %s: %s", r.ID, text)
		}
		if _, err := RuleSentence(r); err != nil {
			t.Error(err)
		}
	}
}
