package policy

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// Answer is what was answered to a case.
type Answer struct {
	Verdict string // as explain says it
	Reason  string
	Cites   string            // the id of the rule that explain names
	Address string            // with the length of its mask
	Static  bool              // the address is assigned in NetBox
	NAK     bool              // a refusal is sent
	Reply   map[string]string // the fields of the reply, as explain prints them; empty: silence
}

// Judge says what of an answer differs from what is expected; empty: nothing.
func Judge(e Expect, a Answer) (differs []string) {
	differ := func(what, want, got string) {
		if got == "" {
			got = "nothing"
		}
		differs = append(differs, fmt.Sprintf("%s: want %s, got %s", what, want, got))
	}
	silent := len(a.Reply) == 0
	switch {
	case e.Silence && !silent:
		differ("answer", "silence", a.words())
	case e.NAK && !a.NAK:
		differ("answer", "NAK", a.words())
	case e.wantsLease() && (silent || a.NAK):
		differ("answer", "an answer", a.words())
	}
	if e.Address != "" && !e.fits(a) {
		differ("address", e.Address, a.kindOfAddress())
	}
	for _, key := range slices.SortedFunc(maps.Keys(e.Options), func(a, b string) int { return strings.Compare(place(a), place(b)) }) {
		if want, got := e.Options[key], a.Reply[place(key)]; !sameValue(want, got) {
			differ("option "+key, want, got)
		}
	}
	for _, key := range e.Absent {
		if got, there := a.Reply[place(key)]; there {
			differ("option "+key, "nothing", got)
		}
	}
	for _, boot := range []struct {
		what, want string
		places     []string
	}{{"boot_file", e.BootFile, []string{"file", place("67")}}, {"boot_server", e.BootServer, []string{"siaddr", place("66")}}} {
		got := a.first(boot.places)
		if boot.want != "" && !slices.ContainsFunc(boot.places, func(p string) bool { return sameValue(boot.want, a.Reply[p]) }) {
			differ(boot.what, boot.want, got)
		}
	}
	if e.Reason != "" && e.Reason != a.Reason {
		differ("reason", e.Reason, a.Reason)
	}
	if e.Cites != "" && !strings.EqualFold(e.Cites, a.Cites) {
		differ("rule", e.Cites, a.Cites)
	}
	return differs
}

// sameValue compares a value with one that explain prints, with the name of the option
// in front or without.
func sameValue(want, printed string) bool {
	_, value, named := strings.Cut(printed, ": ")
	return squeezed(want) == squeezed(printed) || named && squeezed(want) == squeezed(value)
}

// wantsLease says that only an answer that is no refusal will do.
func (e Expect) wantsLease() bool {
	return e.Address != "" || e.BootFile != "" || e.BootServer != "" || len(e.Options) > 0 && !e.NAK
}

// fits reports whether the address is as expected.
func (e Expect) fits(a Answer) bool {
	got, err := netip.ParsePrefix(a.Address)
	if err != nil {
		return false
	}
	switch e.Address {
	case Static:
		return a.Static
	case Dynamic:
		return !a.Static
	}
	if want, err := netip.ParseAddr(e.Address); err == nil {
		return got.Addr() == want
	}
	want, _ := netip.ParsePrefix(e.Address) // was checked
	if want == want.Masked() && want.Bits() < 32 {
		return want.Contains(got.Addr())
	}
	return got == want
}

func (a Answer) kindOfAddress() string {
	switch {
	case a.Address == "":
		return ""
	case a.Static:
		return a.Address + " (static)"
	}
	return a.Address + " (dynamic)"
}

// words is the answer in short.
func (a Answer) words() string {
	text := a.Verdict
	if len(a.Reply) == 0 {
		text = "silence"
	}
	if a.Address != "" && len(a.Reply) > 0 {
		text += " " + a.Address
	}
	text += " (" + a.Reason
	if a.Cites != "" {
		text += ", rule " + a.Cites
	}
	return text + ")"
}

func (a Answer) first(places []string) string {
	for _, p := range places {
		if value := a.Reply[p]; value != "" {
			return value
		}
	}
	return ""
}
