package policy

import (
	"encoding/xml"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// C-25: all mistakes of a file are named at once, each with its line.
func TestEveryMistakeOfAFileIsNamedWithItsLine(t *testing.T) {
	const text = `leases: some
at: yesterday
clients:
  srv1: {mac: "52:54:00:00:00:01", relay: 10.0.0.1}
cases:
  - client: srv2
    expect: {address: 10.0.0.5}
  - name: twice
    expect: {}
  - name: twice
    expect: {nak: true, silence: true}
  - name: three
    mac: wrong
    expect: {addres: 10.0.0.5}
  - name: four
    expect: {silence: true, address: 10.0.0.5}
  - name: five
    expect: {address: here, options: {routr: 10.0.0.1}, absent: [bootfil-name]}
`
	_, err := Read("cases.yml", []byte(text), func(c Case) []Mistake {
		if c.MAC == "wrong" {
			return []Mistake{{"mac", "want a hardware address"}}
		}
		return nil
	})
	var problems strictyaml.Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	for _, want := range []string{
		"cases.yml:1: leases: want none or current", "cases.yml:2: at: want a time", "cases.yml:6: cases[0].client: no such client in clients; ",
		"cases.yml:6: cases[0].name: want a name", "cases.yml:9: cases[1].expect: say what is expected", "cases.yml:10: cases[2].name: \"twice\" is the name of the case in line 8",
		"cases.yml:11: cases[2].expect: want nak or silence", "cases.yml:13: cases[3].mac: want a hardware address", "cases.yml:14: cases[3].expect.addres: unknown key",
		"cases.yml:16: cases[4].expect: an answer that is none", "cases.yml:18: cases[5].expect.address: want an address", "did you mean router (3)", "did you mean bootfile-name (67)",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
	if _, err := Read("cases.yml", nil, nil); err == nil || !strings.Contains(err.Error(), "cases: want a list") {
		t.Errorf("an empty file: %v", err)
	}
}

func TestACaseWinsOverItsClient(t *testing.T) {
	f, err := Read("cases.yml", []byte(`clients: {srv1: {mac: "52:54:00:00:00:01", relay: 10.0.0.1, arch: bios, options: {60: a, 61: b}}}
cases:
  - {name: one, client: srv1, expect: {nak: true}}
  - {name: two, client: srv1, local: 10.0.0.2, arch: uefi, options: {60: c}, expect: {nak: true}}
`), func(Case) []Mistake { return nil })
	if err != nil {
		t.Fatal(err)
	}
	one, two := f.Cases[0], f.Cases[1]
	if one.MAC != "52:54:00:00:00:01" || one.Relay != "10.0.0.1" || one.Arch != "bios" || one.Options["60"] != "a" || one.Line != 3 {
		t.Errorf("one: %+v", one)
	}
	if two.MAC == "" || two.Relay != "" || two.Local != "10.0.0.2" || two.Arch != "uefi" || two.Options["60"] != "c" || two.Options["61"] != "b" {
		t.Errorf("two: %+v", two)
	}
}

// C-25: what is expected and what was answered, by what differs.
func TestAnAnswerIsJudgedByWhatIsExpected(t *testing.T) {
	offer := Answer{Verdict: "OFFER", Reason: "static", Cites: "D-1", Address: "10.0.0.5/24", Static: true, Reply: map[string]string{
		"option   3": "Router: 10.0.0.1", "option  66": "TFTP Server Name: boot.example.org", "file": "ipxe.efi", "siaddr": "10.0.0.9", "option  67": "Bootfile Name: ipxe.efi",
	}}
	leased := offer
	leased.Static = false
	refusal := Answer{Verdict: "NAK", Reason: "wrong_network", Cites: "D-9", Address: "10.0.0.5/24", NAK: true, Reply: map[string]string{"option  54": "10.0.0.2"}}
	silence := Answer{Verdict: "silent", Reason: "pool_empty", Cites: "D-2"}
	for name, c := range map[string]struct {
		expect Expect
		answer Answer
		want   string // of what differs; empty: nothing does
	}{
		"its address":                     {Expect{Address: "10.0.0.5"}, offer, ""},
		"its address with the mask":       {Expect{Address: "10.0.0.5/24"}, offer, ""},
		"another mask":                    {Expect{Address: "10.0.0.5/25"}, offer, "address: want 10.0.0.5/25, got 10.0.0.5/24 (static)"},
		"another address":                 {Expect{Address: "10.0.0.6"}, offer, "address: want 10.0.0.6"},
		"a prefix":                        {Expect{Address: "10.0.0.0/28"}, offer, ""},
		"another prefix":                  {Expect{Address: "10.0.0.16/28"}, offer, "address: want 10.0.0.16/28"},
		"static":                          {Expect{Address: Static}, offer, ""},
		"dynamic, but it is static":       {Expect{Address: Dynamic}, offer, "got 10.0.0.5/24 (static)"},
		"dynamic":                         {Expect{Address: Dynamic}, leased, ""},
		"static, but it is dynamic":       {Expect{Address: Static}, leased, "got 10.0.0.5/24 (dynamic)"},
		"an option by name":               {Expect{Options: map[string]string{"router": "10.0.0.1"}}, offer, ""},
		"an option by number":             {Expect{Options: map[string]string{"3": "Router:  10.0.0.1"}}, offer, ""},
		"another value":                   {Expect{Options: map[string]string{"router": "10.0.0.2"}}, offer, "option router: want 10.0.0.2, got Router: 10.0.0.1"},
		"an option that is not there":     {Expect{Options: map[string]string{"42": "10.0.0.2"}}, offer, "option 42: want 10.0.0.2, got nothing"},
		"absent":                          {Expect{Absent: []string{"42"}}, offer, ""},
		"absent, but there":               {Expect{Absent: []string{"router"}}, offer, "option router: want nothing, got Router: 10.0.0.1"},
		"boot data":                       {Expect{BootFile: "ipxe.efi", BootServer: "10.0.0.9"}, offer, ""},
		"the server by option 66":         {Expect{BootServer: "boot.example.org"}, offer, ""},
		"another boot file":               {Expect{BootFile: "grub.efi"}, offer, "boot_file: want grub.efi, got ipxe.efi"},
		"reason and rule":                 {Expect{Reason: "static", Cites: "d-1"}, offer, ""},
		"another reason":                  {Expect{Reason: "new"}, offer, "reason: want new, got static"},
		"another rule":                    {Expect{Cites: "D-2"}, offer, "rule: want D-2, got D-1"},
		"silence":                         {Expect{Silence: true, Reason: "pool_empty"}, silence, ""},
		"silence, but there is an answer": {Expect{Silence: true}, offer, "answer: want silence, got OFFER 10.0.0.5/24 (static, rule D-1)"},
		"an address, but silence":         {Expect{Address: Dynamic}, silence, "answer: want an answer, got silence (pool_empty, rule D-2)"},
		"a refusal":                       {Expect{NAK: true}, refusal, ""},
		"a refusal, but silence":          {Expect{NAK: true}, silence, "answer: want NAK, got silence"},
		"an address, but a refusal":       {Expect{Address: "10.0.0.5"}, refusal, "answer: want an answer, got NAK"},
	} {
		t.Run(name, func(t *testing.T) {
			got := strings.Join(Judge(c.expect, c.answer), "; ")
			if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// results have names that each format has to escape.
func results() Results {
	return Results{File: "cases.yml", Began: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), List: []Result{
		{Case: Case{Name: `a "name" with <b> & # and \`, Line: 3}, Took: time.Millisecond},
		{Case: Case{Name: "two\nlines\x1b[31m", Line: 5}, Differs: []string{"address: want 10.0.0.5, got nothing", "rule: want <D-1> # x"}, Took: time.Second},
	}}
}

func written(t *testing.T, format string) string {
	t.Helper()
	var b strings.Builder
	if err := results().Write(&b, format); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// C-25
func TestReportsSayWhatFailed(t *testing.T) {
	if got, want := written(t, "text"), `pass  a "name" with <b> & # and \
FAIL  two?lines?[31m
      address: want 10.0.0.5, got nothing
      rule: want <D-1> # x
      cases.yml:5
1 passed, 1 failed
`; got != want {
		t.Errorf("text:\n%s", got)
	}
	if got, want := written(t, "tap"), `TAP version 14
1..2
ok 1 - a "name" with <b> & \# and \\
not ok 2 - two?lines?[31m
  ---
  at: "cases.yml:5"
  differs:
    - "address: want 10.0.0.5, got nothing"
    - "rule: want \u003cD-1\u003e # x"
  ...
# 1 passed, 1 failed
`; got != want {
		t.Errorf("TAP:\n%s", got)
	}
}

// C-25: the attributes and counts that programs which read JUnit's XML ask for.
func TestTheReportForJUnitIsWhole(t *testing.T) {
	type element struct {
		XMLName  xml.Name
		Attrs    []xml.Attr `xml:",any,attr"`
		Children []element  `xml:",any"`
	}
	var root element
	if err := xml.Unmarshal([]byte(written(t, "junit")), &root); err != nil {
		t.Fatal(err)
	}
	allowed := map[string][]string{ // as the schemas of Jenkins' xUnit plugin and of Ant have them, file and line as GitLab reads them
		"testsuites": {"name", "tests", "failures", "errors", "time"},
		"testsuite":  {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "file"},
		"testcase":   {"name", "classname", "time", "file", "line"},
		"failure":    {"message", "type"},
	}
	inside := map[string]string{"": "testsuites", "testsuites": "testsuite", "testsuite": "testcase", "testcase": "failure"}
	count := make(map[string]int)
	var walk func(e element, parent string)
	walk = func(e element, parent string) {
		name := e.XMLName.Local
		count[name]++
		var attrs []string
		for _, a := range e.Attrs {
			attrs = append(attrs, a.Name.Local)
			if a.Name.Local == "tests" && a.Value != "2" || a.Name.Local == "failures" && a.Value != "1" || a.Name.Local == "timestamp" && a.Value != "2026-03-01T12:00:00" {
				t.Errorf("%s: %s is %s", name, a.Name.Local, a.Value)
			}
		}
		if inside[parent] != name || !slices.Equal(attrs, allowed[name]) {
			t.Errorf("%s in %q has %v, want %v", name, parent, attrs, allowed[name])
		}
		for _, child := range e.Children {
			walk(child, name)
		}
	}
	walk(root, "")
	if count["testcase"] != 2 || count["failure"] != 1 {
		t.Errorf("%v", count)
	}
}

// FuzzRead reads any text as a file of cases.
func FuzzRead(f *testing.F) {
	example, err := os.ReadFile("../../cases.yml.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example)
	f.Add([]byte("cases: [{name: a, client: b, expect: {options: {3: x}}}]"))
	f.Fuzz(func(_ *testing.T, data []byte) {
		file, err := Read("cases.yml", data, func(Case) []Mistake { return nil })
		if err != nil {
			return
		}
		for _, c := range file.Cases {
			Judge(c.Expect, Answer{Verdict: "OFFER", Address: "10.0.0.5/24", Reply: map[string]string{"option   3": "Router: 10.0.0.1"}})
		}
	})
}
