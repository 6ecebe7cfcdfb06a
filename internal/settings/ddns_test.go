package settings

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const someDDNS = chain + `netbox:
  url: https://n.example
  ddns:
    zones:
      - {name: dhcp.example.org, server: 192.0.2.53, key: DHCP-key.}
      - {name: lab.example.org, server: "[2001:db8::53]:5353", key: dhcp-key, prefixes: [10.1.0.0/16]}
      - {name: 1.10.in-addr.arpa, server: 192.0.2.53, key: dhcp-key}
      - {name: 0-127.2.0.192.in-addr.arpa, server: 192.0.2.53, key: dhcp-key, prefixes: [192.0.2.0/25]}
    keys:
      - {name: dhcp-key}
      - {name: other-key, algorithm: hmac-sha512, secret_file: other.key}
    clients: dynamic
    names: [template, client]
    template: "dyn-{address}-x"
    forbidden: [www]
    ttl: 10m
    override_no_update: true
    override_client_update: false
`

// DNS-1 and DNS-3: which zone is for whom.
func TestNamesInDNSAreSet(t *testing.T) {
	f, err := Options{Getenv: func(name string) string {
		return map[string]string{"CREDENTIALS_DIRECTORY": "/run/credentials/x"}[name]
	}}.
		Parse("/etc/c/config.yml", []byte(someDDNS))
	if err != nil {
		t.Fatal(err)
	}
	d := f.NetBox.DDNS
	if d.Keys[0] != (DDNSKey{Name: "dhcp-key", Algorithm: "hmac-sha256", SecretFile: "/run/credentials/x/ddns_dhcp-key"}) || d.Keys[1].SecretFile != "/etc/c/other.key" {
		t.Errorf("keys: %+v", d.Keys)
	}
	type clients struct {
		Server, Prefix     string
		Reverse, Classless bool
	}
	var got []clients
	for _, z := range d.Zones {
		at, err := z.Address()
		if err != nil {
			t.Fatal(err)
		}
		prefixes, reverse, classless := z.Clients()
		got = append(got, clients{at.String(), prefixes[0].String(), reverse, classless})
	}
	want := []clients{{"192.0.2.53:53", "0.0.0.0/0", false, false}, {"[2001:db8::53]:5353", "10.1.0.0/16", false, false}, {"192.0.2.53:53", "10.1.0.0/16", true, false}, {"192.0.2.53:53", "192.0.2.0/25", true, true}}
	if diff := cmp.Diff(want, got); diff != "" || !d.On() || Defaults().DDNS.On() {
		t.Error(diff)
	}
	for name, prefix := range map[string]string{"in-addr.arpa": "0.0.0.0/0", "2.0.192.in-addr.arpa.": "192.0.2.0/24", "7.2.0.192.in-addr.arpa": "", "300.10.in-addr.arpa": "", "01.10.in-addr.arpa": ""} {
		within, is := addressesOf(name)
		if !is || within.IsValid() && within.String() != prefix || !within.IsValid() && prefix != "" {
			t.Errorf("%s: %v %v", name, within, is)
		}
	}
	if _, is := addressesOf("xin-addr.arpa"); is {
		t.Error("xin-addr.arpa is no reverse zone")
	}
}

// DNS-1: mistakes are named with their place, all at once.
func TestMistakesInDDNSAreNamed(t *testing.T) {
	for change, want := range map[[2]string]string{
		{"server: 192.0.2.53, key: DHCP-key.", "server: ns.example.org, key: DHCP-key."}: "zones[0].server: want the address",
		{"key: DHCP-key.", "key: nokey"}:                                                 "zones[0].key: want the name of an entry",
		{"name: dhcp.example.org", "name: 'dhcp example'"}:                               "zones[0].name: want the name of a zone",
		{"name: lab.example.org", "name: dhcp.example.ORG."}:                             "zones[1].name: another entry",
		{"prefixes: [10.1.0.0/16]", "prefixes: [10.1.0.1/16]"}:                           "zones[1].prefixes: want IPv4 prefixes",
		{"prefixes: [10.1.0.0/16]", "prefixes: []"}:                                      "zones[1].prefixes: zone dhcp.example.org has the same clients",
		{"prefixes: [192.0.2.0/25]", "prefixes: []"}:                                     "zones[3].prefixes: the name of the zone says no addresses",
		{"prefixes: [192.0.2.0/25]", "prefixes: [192.0.0.0/16]"}:                         "zones[3].prefixes: a reverse zone with prefixes",
		{"hmac-sha512", "hmac-md5"}:                                                      "keys[1].algorithm: want hmac-sha256",
		{"name: other-key", "name: DHCP-KEY"}:                                            "keys[1].name: another key",
		{"secret_file: other.key", "secret: c2VjcmV0"}:                                   "keys[1].secret: a secret is never a setting",
		{"clients: dynamic", "clients: some"}:                                            "clients: want all or static or dynamic",
		{"names: [template, client]", "names: [client, client]"}:                         "names[1]: client stands there already",
		{"names: [template, client]", "names: []"}:                                       "names: want one or more",
		{"names: [template, client]", "names: [dns]"}:                                    "names[0]: want netbox or client or template",
		{"dyn-{address}-x", "dyn"}:                                                       "template: want one label",
		{"dyn-{address}-x", "DYN-{address}"}:                                             "template: want one label",
		{"dyn-{address}-x", "a.{address}"}:                                               "template: want one label",
		{"dyn-{address}-x", "-{address}"}:                                                "template: want one label",
		{"forbidden: [www]", "forbidden: [www.example.org]"}:                             "forbidden[0]: want one label",
		{"ttl: 10m", "ttl: 48h"}:                                                         "ttl: want 1s to 24h",
		{"clients: dynamic", "dhcid: client_id"}:                                         "dhcid: client_id needs lease.identify",
		{"clients: dynamic", "dhcid: both"}:                                              "dhcid: want mac or client_id",
	} {
		text := strings.Replace(someDDNS, change[0], change[1], 1)
		if text == someDDNS {
			t.Fatalf("%q is not in the settings", change[0])
		}
		_, err := parse(t, text)
		if got := message(err); !strings.Contains(got, "netbox.ddns."+want) || strings.Contains(got, "\n") || strings.Contains(got, "c2VjcmV0") {
			t.Errorf("%v: %q, want %q alone", change, got, want)
		}
	}
}

// DNS-2: the secret comes from a file, and errors do not repeat it.
func TestSecretsOfKeysComeFromFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	for content, want := range map[string]string{
		"MDEyMzQ1Njc4OWFiY2RlZg==\n": "", "bm90LWVub3VnaA==": "too short", "not base64!": "more than one word", "not-base64-at-all": "base64", "": "empty",
		`key "dhcp-key" { algorithm hmac-sha256; };`: "more than one word",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		secret, err := DDNSKey{Name: "k", SecretFile: path}.Secret()
		switch {
		case want == "" && (err != nil || secret.Reveal() != strings.TrimSpace(content)):
			t.Errorf("%q: %v", content, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || content != "" && strings.Contains(err.Error(), content)):
			t.Errorf("%q: %v, want %q", content, err, want)
		}
	}
	if _, err := (DDNSKey{Name: "k"}).Secret(); err == nil || !strings.Contains(err.Error(), "ddns_k") {
		t.Errorf("without a file: %v", err)
	}
}
