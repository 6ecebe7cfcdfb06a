package strictyaml

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

type word string

func (w *word) UnmarshalText(text []byte) error {
	if len(text) > 5 {
		return errors.New("want a short word")
	}
	*w = word(text)
	return nil
}

type thing struct {
	Name  string          `yaml:"name"`
	Short word            `yaml:"short"`
	Data  json.RawMessage `yaml:"data"`
}

type file struct {
	Text    string               `yaml:"text"`
	Flag    bool                 `yaml:"flag"`
	Count   int                  `yaml:"count"`
	Maybe   *bool                `yaml:"maybe"`
	Wait    time.Duration        `yaml:"wait"`
	Addr    netip.Addr           `yaml:"addr"`
	Prefix  netip.Prefix         `yaml:"prefix"`
	Items   []thing              `yaml:"items"`
	Names   map[string]string    `yaml:"names"`
	Section thing                `yaml:"section"`
	Secret  string               `yaml:"secret" refuse:"not here"`
	Other   map[string]yaml.Node `yaml:",inline"`
	Ignored string
}

func decode(text string) (file, *Report) {
	out := file{Text: "preset", Count: 7}
	r := Decode("f.yml", []byte(text), &out)
	return out, r
}

func TestValuesOfEveryKindAreRead(t *testing.T) {
	got, r := decode(`
text: 010
flag: true
maybe: false
count: 0x10
wait: 1d90s
addr: ""
prefix: 10.0.0.0/8
items:
  - {name: "1", short: abc, data: {7: [1, 2.5, null, yes, 2024-01-02, true]}}
names: {a: b, 1: c}
section:
`)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	maybe := false
	want := file{
		Text: "010", Flag: true, Maybe: &maybe, Count: 16, Wait: 24*time.Hour + 90*time.Second, Prefix: netip.MustParsePrefix("10.0.0.0/8"),
		Items: []thing{{"1", "abc", json.RawMessage(`{"7":[1,2.5,null,"yes","2024-01-02",true]}`)}},
		Names: map[string]string{"a": "b", "1": "c"},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{}), cmpopts.EquateEmpty()); diff != "" {
		t.Error(diff)
	}
}

func TestAbsentAndNullKeepWhatIsSet(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "text:\ncount: ~\n", "null"} {
		got, r := decode(text)
		if err := r.Err(); err != nil || got.Text != "preset" || got.Count != 7 {
			t.Errorf("%q: %q %d, %v", text, got.Text, got.Count, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"unknown key far from all":   {"section: {zebra: 1}", "f.yml:1: section.zebra: unknown key; known here: name, short, data"},
		"unknown key near one":       {"section:\n  nmae: x", "f.yml:2: section.nmae: unknown key; did you mean name?"},
		"repeated key":               {"text: a\nflag: true\ntext: b", "f.yml:3: text: repeated; it stands on line 1 already"},
		"repeated key deep in data":  {"section:\n  data:\n    a: 1\n    a: 2", "f.yml:4: section.data.a: repeated; it stands on line 3 already"},
		"entry of a list":            {"items:\n- name: a\n- name: [b]", "f.yml:3: items[1].name: want text, not a list"},
		"empty entry":                {"items:\n-\n", "f.yml:2: items[0]: an empty entry"},
		"scalar for a list":          {"items: a", `f.yml:1: items: want a list, not "a"`},
		"list for a section":         {"section: [a]", "f.yml:1: section: want a mapping with name, short, data, not a list"},
		"list for a mapping":         {"names: [a]", "f.yml:1: names: want a mapping, not a list"},
		"mapping for text":           {"text: {a: b}", "f.yml:1: text: want text, not a mapping"},
		"mapping for a word":         {"section: {short: {a: b}}", "f.yml:1: section.short: want text, not a mapping"},
		"word says what it wants":    {"section: {short: abcdef}", "f.yml:1: section.short: want a short word"},
		"number too big":             {"count: 99999999999999999999", `f.yml:1: count: want a whole number, not "99999999999999999999"`},
		"duration overflows":         {"wait: 65535d", "" /* 179 years fit */},
		"duration of too many days":  {"wait: 65536d", `f.yml:1: wait: want a duration such as 30s, 90m, 12h or 1d, not "65536d"`},
		"duration of negative rest":  {"wait: 1d-1h", `f.yml:1: wait: want a duration such as 30s, 90m, 12h or 1d, not "1d-1h"`},
		"duration list":              {"wait: [1s]", "f.yml:1: wait: want a duration such as 30s, 90m, 12h or 1d, not a list"},
		"refused key":                {"secret: hunter2", "f.yml:1: secret: not here"},
		"infinite number in data":    {"section: {data: [.inf]}", "f.yml:1: section.data[0]: JSON has no .inf"},
		"wrong explicit tag in data": {"section: {data: !!int x}", `f.yml:1: section.data: want a value JSON has, not "x"`},
		"key that is a list":         {"section:\n  [a]: b", "f.yml:2: section: a key must be plain text, not a list"},
		"merge of text":              {"section:\n  <<: b", `f.yml:2: section.<<: want a mapping to merge, not "b"`},
		"list as the file":           {"- a", "f.yml:1: want a mapping with text, flag, count, maybe, wait, addr, prefix, items, names, section, not a list"},
		"not YAML":                   {"a: b\n  c: d", "f.yml:2: not YAML: mapping values are not allowed in this context"},
		"path of Windows":            {`text: "C:\ProgramData\x"`, `f.yml: not YAML: did not find expected hexdecimal number; a backslash means something in double quotes: put a path of Windows into single quotes, such as 'C:\dhcp\a.token'`},
		"another path of Windows":    {`text: "C:\dhcp\y"`, `f.yml: not YAML: found unknown escape character; a backslash means something in double quotes: put a path of Windows into single quotes, such as 'C:\dhcp\a.token'`},
		"unknown alias":              {"text: *nobody", "f.yml: not YAML: unknown anchor 'nobody' referenced"},
		"two documents":              {"text: a\n---\ntext: b", "f.yml:2: ---: a second document begins here, which is not read: keep everything in one"},
		"broken second document":     {"text: a\n---\n\n}", "f.yml:3: not YAML: did not find expected node content"},
		"alias of itself":            {"names: &n\n  a: *n", "f.yml:2: names.a: alias *n contains itself"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := decode(tc.text)
			if diff := cmp.Diff(tc.want, r.Problems().Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAliasesAndMergeKeysAreUnfolded(t *testing.T) {
	got, r := decode(`
section: &base
  name: base
  data: {a: 1}
items:
  - <<: *base
    name: own
  - <<: [{short: first}, {short: other, name: merged}]
`)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	want := []thing{{"own", "", json.RawMessage(`{"a":1}`)}, {"merged", "first", nil}}
	if diff := cmp.Diff(want, got.Items); diff != "" {
		t.Error(diff)
	}
}

func TestAliasesThatExplodeAreStopped(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("section:\n  data:\n    a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := range 20 {
		fmt.Fprintf(&bomb, "    a%d: &a%d [%s]\n", i+1, i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	_, r := decode(bomb.String())
	problems := r.Problems()
	if len(problems) != 1 || !strings.HasSuffix(problems[0].Text, "aliases unfold to more than 100000 values") {
		t.Errorf("got %v", problems)
	}
}

func TestAddf(t *testing.T) {
	_, r := decode("section:\n  name:\n    [x]\nitems:\n- name: a\n- data:\n    b: 1\nnames:\n")
	r.Addf("section.name", "reported already")
	r.Addf("section.name.first", "below what is reported already")
	r.Addf("items[1].data.b", "a value")
	r.Addf("items[1].short", "not there")
	r.Addf("items[7].short", "out of the list")
	r.Addf("nowhere.at.all", "not in the file")
	want := strings.Join([]string{
		"f.yml: nowhere.at.all: not in the file",
		"f.yml:3: section.name: want text, not a list",
		"f.yml:4: items[7].short: out of the list",
		"f.yml:6: items[1].short: not there",
		"f.yml:7: items[1].data.b: a value",
	}, "\n")
	if diff := cmp.Diff(want, r.Problems().Error()); diff != "" {
		t.Error(diff)
	}
	for path, present := range map[string]bool{
		"section": true, "items[0].name": true, "items[1].name": false, "items[2]": false, "names": false, "items[x]": false, "text": false,
	} {
		if r.Has(path) != present {
			t.Errorf("Has(%q) = %v", path, !present)
		}
	}
}

type entryWithDefault struct {
	On bool `yaml:"on"`
	To int  `yaml:"to"`
}

func (e *entryWithDefault) SetDefaults() { e.On = true }

func TestEntriesOfListsAndMapsHaveDefaults(t *testing.T) {
	var out struct {
		List []entryWithDefault          `yaml:"list"`
		Map  map[string]entryWithDefault `yaml:"map"`
	}
	r := Decode("f.yml", []byte("list: [{to: 1}, {on: false}]\nmap: {a: , b: {on: false}, c: {to: 2}}"), &out)
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]entryWithDefault{{true, 1}, {false, 0}}, out.List); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]entryWithDefault{"a": {true, 0}, "b": {false, 0}, "c": {true, 2}}, out.Map); diff != "" {
		t.Error(diff)
	}
}

func TestKeysMayHoldDotsAndPrefixes(t *testing.T) {
	var out struct {
		Hosts map[string]thing        `yaml:"hosts"`
		Nets  map[netip.Prefix]string `yaml:"nets"`
	}
	r := Decode("f.yml", []byte(`hosts:
  dh1: {name: short}
  dh1.corp.example:
    name: long
nets:
  10.0.0.0/8: a
  10.0.0.0: b
`), &out)
	if line := r.Line("hosts.dh1.corp.example.name"); line != 4 {
		t.Errorf("line %d", line)
	}
	if line := r.Line("hosts.dh1.name"); line != 2 {
		t.Errorf("line %d", line)
	}
	if r.Has("hosts.dh1.corp.name") || !r.Has("nets.10.0.0.0/8") {
		t.Error("keys with dots are mixed up")
	}
	r.Addf("hosts.dh1.corp.example.short", "is missing")
	want := "f.yml:3: hosts.dh1.corp.example.short: is missing\n" +
		`f.yml:7: nets.10.0.0.0: want a prefix such as 10.0.0.0/24, not "10.0.0.0"`
	if diff := cmp.Diff(want, r.Problems().Error()); diff != "" {
		t.Error(diff)
	}
	if out.Hosts["dh1.corp.example"].Name != "long" || out.Nets[netip.MustParsePrefix("10.0.0.0/8")] != "a" {
		t.Errorf("got %v", out)
	}
}

func TestNothingIsAddedToAFileNobodyCanRead(t *testing.T) {
	_, r := decode("a: [")
	r.Addf("text", "is missing")
	if len(r.Problems()) != 1 {
		t.Errorf("got %v", r.Problems())
	}
}

func FuzzDecode(f *testing.F) {
	for _, text := range []string{
		"text: a\nwait: 1d2h\nitems: [{name: x, data: {a: [1, 2]}}]",
		"a: &a {b: *a}\nsection: {<<: *a}", "? [x]\n: y\n", "section: {data: 1e999}", "{\"\": {<<: {}}}", "addr: 1.2.3.4\n---\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var out file
		r := Decode("f.yml", data, &out)
		for _, p := range r.Problems() {
			if p.Text == "" || p.Line < 0 || p.Line > strings.Count(string(data), "\n")+strings.Count(string(data), "\r")+
				strings.Count(string(data), "\u0085")+strings.Count(string(data), "\u2028")+strings.Count(string(data), "\u2029")+2 {
				t.Errorf("a problem that cannot be found: %q", p)
			}
		}
		if r.Err() != nil {
			return
		}
		// What was accepted has JSON where JSON belongs, and no key was dropped.
		var top map[string]yaml.Node
		if err := yaml.Unmarshal(data, &top); err != nil {
			t.Errorf("accepted what is no mapping: %v", err)
		}
		for _, entry := range append(out.Items, out.Section) {
			if entry.Data != nil && !json.Valid(entry.Data) {
				t.Errorf("no JSON: %q", entry.Data)
			}
		}
	})
}
