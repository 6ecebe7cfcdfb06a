package main

import (
	"encoding/json"
	"runtime/debug"
	"strings"
	"testing"
	"time"
)

// PK-5, PK-4
func TestTheListOfPartsNamesEachModuleAndNoClock(t *testing.T) {
	b := &build{version: "1.2.3", date: time.Unix(1_700_000_000, 0).UTC()}
	s := tree{product: products()[0], arch: "arm64"}
	parts := []part{{path: "std", version: "1.26.8"}, {path: "example.org/a", version: "v1.0.0", sum: "h1:x="}}
	text, err := b.bill(s, &debug.BuildInfo{GoVersion: "go1.26.8"}, parts)
	if err != nil {
		t.Fatal(err)
	}
	again, err := b.bill(s, &debug.BuildInfo{GoVersion: "go1.26.8"}, parts)
	if err != nil || string(text) != string(again) {
		t.Errorf("two lists differ: %v", err)
	}
	var list struct {
		BOMFormat    string
		SerialNumber string
		Metadata     struct {
			Timestamp string
			Component struct{ Name, Version, PURL string }
		}
		Components []struct {
			Name, Version, PURL string
			Properties          []struct{ Name, Value string }
		}
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	if list.BOMFormat != "CycloneDX" || list.SerialNumber != "" || list.Metadata.Timestamp != "2023-11-14T22:13:20Z" ||
		list.Metadata.Component.PURL != "pkg:golang/github.com/coredhcp-netbox/coredhcp-netbox@v1.2.3" {
		t.Errorf("%+v", list)
	}
	if len(list.Components) != 2 || list.Components[1].PURL != "pkg:golang/example.org/a@v1.0.0" || list.Components[1].Properties[0].Value != "h1:x=" {
		t.Errorf("%+v", list.Components)
	}
}

// PK-6
func TestThirdPartyHasEachLicenceOnce(t *testing.T) {
	got := string(thirdParty("program", []part{
		{path: "example.org/a", version: "v1.0.0", texts: []text{{"LICENSE", "do what you like\n"}, {"NOTICE", "we made it\n"}}},
		{path: "example.org/b", version: "v2.0.0", texts: []text{{"COPYING", "keep our names\n"}}},
	}))
	for _, want := range []string{"  example.org/a v1.0.0\n  example.org/b v2.0.0\n", "example.org/a v1.0.0: LICENSE\n", "do what you like", "example.org/a v1.0.0: NOTICE\n", "we made it", "example.org/b v2.0.0: COPYING\n", "keep our names"} {
		if strings.Count(got, want) != 1 {
			t.Errorf("not once: %q in\n%s", want, got)
		}
	}
}
