package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

// PK-9: what the kernel reads, as setcap writes it.
func TestCapabilitiesAreThoseOfSetcap(t *testing.T) {
	if got, want := hex.EncodeToString(capabilities()), "0100000200240000000000000000000000000000"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// PK-9
func TestTheServersFileAloneHasCapabilities(t *testing.T) {
	for _, p := range products() {
		s := tree{product: p, arch: "amd64", root: t.TempDir()}
		for _, name := range []string{"bin/" + p.name, "doc/THIRD-PARTY.gz", "licenses/LICENSE"} {
			if err := s.write(name, []byte(name)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := s.entries()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{"": true}
		for _, e := range list {
			folder := e.name[:strings.LastIndexByte(strings.TrimSuffix(e.name, "/"), '/')+1]
			if !seen[folder] {
				t.Errorf("%s comes before its folder", e.name)
			}
			seen[e.name] = true
			if (e.caps != nil) != (p.raw && e.name == "usr/bin/"+p.name) {
				t.Errorf("%s: capabilities %x", e.name, e.caps)
			}
			if e.mode&0o022 != 0 {
				t.Errorf("%s: others may write", e.name)
			}
		}
	}
}

// PK-4
func TestTwoLayersOfOneListAreAlike(t *testing.T) {
	list := []entry{{name: "a/", mode: 0o755}, {name: "a/b", mode: 0o644, owner: nobody, text: []byte("x"), caps: capabilities()}}
	packed, diff, err := layer(list, time.Unix(7, 0))
	if err != nil {
		t.Fatal(err)
	}
	again, sameDiff, err := layer(list, time.Unix(7, 0))
	if err != nil || !bytes.Equal(packed, again) || diff != sameDiff {
		t.Errorf("%s and %s, %v", diff, sameDiff, err)
	}
	unzipped, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(unzipped)
	if h, err := r.Next(); err != nil || h.Name != "a/" || h.Typeflag != tar.TypeDir {
		t.Errorf("%+v %v", h, err)
	}
	if h, err := r.Next(); err != nil || h.Uid != nobody || h.PAXRecords["SCHILY.xattr.security.capability"] != string(capabilities()) || !h.ModTime.Equal(time.Unix(7, 0)) {
		t.Errorf("%+v %v", h, err)
	}
}

func TestTheAuthoritiesAreCertificates(t *testing.T) {
	n := 0
	for rest := authorities(); ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		} else if block.Type != "CERTIFICATE" {
			t.Errorf("block %d is %s", n, block.Type)
		}
	}
	if n < 100 {
		t.Errorf("only %d authorities", n)
	}
}
