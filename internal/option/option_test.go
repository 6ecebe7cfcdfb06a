package option

import (
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// layer makes a layer of JSON.
func layer(t testing.TB, source, data string) Layer {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(data), &object); err != nil {
		t.Fatalf("%s: %v", data, err)
	}
	return Layer{Source: source, Data: object}
}

// all asks for every option.
func all() Client {
	c := Client{HasRequested: true}
	for code := range 254 {
		c.Requested = append(c.Requested, byte(code+1))
	}
	return c
}

// lines writes what a client is sent, one line an option.
func lines(list []Chosen) (out []string) {
	for _, c := range list {
		line := strings.Join([]string{string(rune('0'+c.Code/100%10)) + string(rune('0'+c.Code/10%10)) + string(rune('0'+c.Code%10)), hex.EncodeToString(c.Value), c.Source}, " ")
		if c.Force {
			line += " forced"
		}
		for _, o := range c.Overrides {
			line += " | " + o
		}
		out = append(out, line)
	}
	return out
}

// OPT-2, OPT-3: each form of a value and its bytes, or what is wrong with it.
func TestValues(t *testing.T) {
	for name, c := range map[string]struct{ option, want, problem string }{
		"an address":                          {`"swap-server": "10.0.0.1"`, "0a000001", ""},
		"an address in place of a list":       {`"150": "10.0.0.1"`, "0a000001", ""},
		"a list of addresses":                 {`"tftp-server-address": ["10.0.0.1", "10.0.0.2"]`, "0a0000010a000002", ""},
		"no address":                          {`"150": "ten"`, "", `want an IPv4 address or a list of them: "ten" is no IPv4 address`},
		"an IPv6 address":                     {`"150": "2001:db8::1"`, "", "is no IPv4 address"},
		"a list for one address":              {`"16": ["10.0.0.1"]`, "", "want one IPv4 address, not a list"},
		"text":                                {`"server-name": "10.0.0.5"`, "31302e302e302e35", ""},
		"a number where text is due":          {`"66": 5`, "", "want text, not 5"},
		"text with NUL":                       {`"66": "a\u0000b"`, "", "without NUL"},
		"empty text":                          {`"66": ""`, "", "not an empty one"},
		"text that is too long":               {`"66": "` + strings.Repeat("a", 256) + `"`, "", "256 bytes, and an option at most 255"},
		"a byte":                              {`"23": 64`, "40", ""},
		"a byte that is too large":            {`"23": 256`, "", "from 1 to 255, not 256"},
		"a byte that is too small":            {`"23": 0`, "", "from 1 to 255, not 0"},
		"two bytes":                           {`"22": 576`, "0240", ""},
		"four bytes":                          {`"reboot-time": 4294967295`, "ffffffff", ""},
		"a negative number":                   {`"time-offset": -3600`, "fffff1f0", ""},
		"a broken number":                     {`"35": 1.5`, "", "not 1.5"},
		"a number as text":                    {`"35": "60"`, "", `not "60"`},
		"a list of numbers":                   {`"25": [68, 1500]`, "004405dc", ""},
		"true":                                {`"19": true`, "01", ""},
		"false":                               {`"19": false`, "00", ""},
		"yes":                                 {`"19": "yes"`, "", `want true or false, not "yes"`},
		"a node type":                         {`"netbios-node-type": 8`, "08", ""},
		"no node type":                        {`"46": 3`, "", "8 (H-node), not 3"},
		"hex of any option":                   {`"66": {"hex": "61:62"}`, "6162", ""},
		"hex of a wrong width":                {`"16": {"hex": "0a00"}`, "", "2 bytes in hex do not make one IPv4 address"},
		"hex with an odd digit":               {`"66": {"hex": "abc"}`, "", "want bytes in hex"},
		"another form than the registry's":    {`"138": {"text": "a"}`, "", "want an IPv4 address or a list of them or {hex: ...}"},
		"the proxy of Aruba":                  {`"148": {"text": "proxy:80"}`, hex.EncodeToString([]byte("proxy:80")), ""},
		"the server of Polycom, as text":      {`"150": {"text": "http://a"}`, hex.EncodeToString([]byte("http://a")), ""},
		"the server of Cisco, as text":        {`"159": {"text": "https://a"}`, hex.EncodeToString([]byte("https://a")), ""},
		"their addresses stay addresses":      {`"148": ["10.0.0.1"]`, "0a000001", ""},
		"the form of the registry":            {`"150": {"addresses": ["10.0.0.1"]}`, "0a000001", ""},
		"pairs":                               {`"static-route": ["10.1.0.1 10.0.0.9", "10.2.0.1,10.0.0.8"]`, "0a0100010a0000090a0200010a000008", ""},
		"a pair with one address":             {`"33": ["10.1.0.1"]`, "", "one has no second address"},
		"a domain name":                       {`"137": "lost.example.org"`, "046c6f7374076578616d706c65036f726700", ""},
		"domain names":                        {`"141": ["a.b", "c."]`, "0161016200016300", ""},
		"no domain name":                      {`"141": ["a..b"]`, "", "each label has 1 to 63"},
		"SIP servers by address":              {`"120": ["10.0.0.1"]`, "010a000001", ""},
		"SIP servers by name":                 {`"120": ["sip.example"]`, "00037369700765" + "78616d706c6500", ""},
		"URIs":                                {`"143": ["https://a"]`, "000968747470733a2f2f61", ""},
		"SLP agents":                          {`"78": ["10.0.0.1"]`, "000a000001", ""},
		"sub-options":                         {`"43": {"241": ["10.0.0.1", "10.0.0.2"], "1": {"address": "10.0.0.3"}, "2": "url", "3": {"uint16": 5}}`, "01040a00000302037572" + "6c03020005f1080a0000010a000002", ""},
		"sub-options within sub-options":      {`"43": {"1": {"sub_options": {"2": "x"}}}`, "0103020178", ""},
		"an address or text in a sub-option":  {`"43": {"1": "10.0.0.1"}`, "", `1: "10.0.0.1" is an address of 4 bytes or text: write {address: 10.0.0.1} or {text: 10.0.0.1}`},
		"a number without a width":            {`"43": {"1": 5}`, "", "1: a number needs its width: write {uint8: 5}"},
		"a sub-option that is none":           {`"43": {"255": "x"}`, "", `"255" is no number of a sub-option`},
		"vendor data as text":                 {`"43": {"text": "10.0.0.1"}`, "31302e302e302e31", ""},
		"vendor data as plain text":           {`"43": "10.0.0.1"`, "", "or {text: ...}, not"},
		"options of an enterprise":            {`"125": {"9": {"1": "x"}, "4413": {"2": {"hex": "0a"}}}`, "0000000903010178" + "0000113d0302010a", ""},
		"classes of an enterprise":            {`"124": {"9": "x"}`, "000000090178", ""},
		"an unassigned option with its form":  {`"224": {"uint16": 258}`, "0102", ""},
		"an unassigned option with text":      {`"224": "x"`, "78", ""},
		"an unassigned option without a form": {`"224": 5`, "", "a number needs its width"},
		"routes":                              {`"224": {"routes": ["10.1.0.0/16,10.0.0.9"]}`, "100a010a000009", ""},
		"WPAD":                                {`"wpad": "http://wpad.example/wpad.dat"`, hex.EncodeToString([]byte("http://wpad.example/wpad.dat")), ""},
		"a value behind its key":              {`"66": {"value": "a"}`, "61", ""},
		"a key beside the value":              {`"66": {"value": "a", "text": "b"}`, "", "beside value there is only force"},
		"force that is no truth value":        {`"66": {"value": "a", "force": 1}`, "", "force: want true or false, not 1"},
		"force without a value":               {`"66": {"force": true}`, "", "there is no value"},
	} {
		t.Run(name, func(t *testing.T) {
			s, findings := Compile([]Layer{layer(t, "x", `{"options": {`+c.option+`}}`)})
			if c.problem != "" {
				if len(findings) != 1 || !strings.Contains(findings[0].Problem, c.problem) || findings[0].Source != "x" || !strings.HasPrefix(findings[0].Field, "options.") {
					t.Errorf("findings %+v, want %q", findings, c.problem)
				}
				if got := s.For(all()); len(got) != 0 {
					t.Errorf("sent %v", got)
				}
				return
			}
			got := s.For(all())
			if len(findings) != 0 || len(got) != 1 || hex.EncodeToString(got[0].Value) != c.want {
				t.Errorf("%v with %+v, want %s", lines(got), findings, c.want)
			}
		})
	}
}

// OPT-1, OPT-4, OPT-5: names, numbers, and what cannot be set.
func TestKeys(t *testing.T) {
	for key, problem := range map[string]string{
		"66": "", "server-name": "", "Server-Name": "", "tftp_server_name": "", "option-capwap-ac-v4": "is no IPv4", "capwap-ac-v4": "is no IPv4",
		"servername":    "did you mean server-name (66)?",
		"no such thing": "no option has this name", "256": "no option has this name", "-1": "no option has this name",
		"0": "belongs to the server", "1": "belongs to the server", "28": "belongs to the server", "51": "belongs to the server", "54": "belongs to the server",
		"57": "belongs to the server", "61": "belongs to the server", "80": "belongs to the server", "82": "belongs to the server", "90": "belongs to the server",
		"116": "belongs to the server", "118": "belongs to the server", "255": "belongs to the server",
		"router": "gateway tag", "6": "write dns_servers beside options", "hostname": "netbox.clients.send_hostname", "15": "write domain_name",
		"26": "write mtu", "42": "write ntp_servers", "108": "write ipv6_only_wait", "domain-search": "write domain_search", "121": "write static_routes", "249": "write static_routes",
		"114": "captive portal", "60": "write it inside a class", "56": "",
	} {
		_, findings := Compile([]Layer{layer(t, "x", `{"options": {`+quote(key)+`: "text"}}`)})
		switch {
		case problem == "" && len(findings) != 0:
			t.Errorf("%s: %+v", key, findings)
		case problem != "" && (len(findings) != 1 || !strings.Contains(findings[0].Problem, problem)):
			t.Errorf("%s: %+v, want %q", key, findings, problem)
		}
	}
}

func quote(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// OPT-1: names are unique and look like IANA's.
func TestRegistry(t *testing.T) {
	seen := make(map[string]uint8)
	for code, k := range registry {
		if other, twice := seen[k.name]; twice {
			t.Errorf("%d and %d are both %s", code, other, k.name)
		}
		seen[k.name] = code
		if k.name != strings.ToLower(k.name) || strings.ContainsAny(k.name, " _/") {
			t.Errorf("%d: %q", code, k.name)
		}
		if got, err := Code(k.name); err != nil || got != code {
			t.Errorf("%s is %d, %v; want %d", k.name, got, err, code)
		}
	}
}

const voice = `{
	"options": {"66": "all", "150": "10.0.0.1", "44": {"value": "10.0.0.2", "force": true}},
	"vendor_classes": {
		"Cisco": {"options": {"66": "cisco"}, "pool_tag": "network"},
		"IP Phone": {"options": {"66": "phone", "150": null}, "pool_tag": "voice"},
		"Cisco Systems": {"options": {"66": "systems"}},
		"ArubaAP": {"options": {"60": {"value": "ArubaAP", "force": true}}}
	},
	"user_classes": {"lab": {"options": {"114": "http://lab"}}},
	"architectures": {"7": {"options": {"209": "seven"}}, "9": {"options": {"209": "nine"}}},
	"mac_prefixes": {"00:1B:54": {"options": {"66": "oui"}}, "001b.5401": {"options": {"66": "longer"}, "pool_tag": "lab"}}
}`

// OPT-6, OPT-7: which class a client has, what it is sent, and its pools.
func TestConditions(t *testing.T) {
	mac := func(b ...byte) []byte { return b }
	for name, c := range map[string]struct {
		client Client
		want   []string
		tag    string
		class  []string
	}{
		"none":              {Client{}, []string{"044 0a000002 x forced", "066 616c6c x", "150 0a000001 x"}, "", nil},
		"as a prefix":       {Client{VendorClass: []byte("Cisco AP c2800")}, []string{"044 0a000002 x forced", `066 636973636f x, vendor_classes "Cisco" | "all" of x`, "150 0a000001 x"}, "network", []string{`vendor_classes "Cisco"`}},
		"the longest match": {Client{VendorClass: []byte("Cisco Systems, Inc. IP Phone CP-7911G\x00")}, []string{"044 0a000002 x forced", `066 73797374656d73 x, vendor_classes "Cisco Systems" | "all" of x`, "150 0a000001 x"}, "", []string{`vendor_classes "Cisco Systems"`}},
		"inside, and null takes away": {Client{VendorClass: []byte("An IP Phone")}, []string{"044 0a000002 x forced", `066 70686f6e65 x, vendor_classes "IP Phone" | "all" of x`},
			"voice", []string{`vendor_classes "IP Phone"`}},
		"60 within a class": {Client{VendorClass: []byte("ArubaAP")}, []string{"044 0a000002 x forced", `060 41727562614150 x, vendor_classes "ArubaAP" forced`, "066 616c6c x", "150 0a000001 x"},
			"", []string{`vendor_classes "ArubaAP"`}},
		"case counts":         {Client{VendorClass: []byte("cisco")}, []string{"044 0a000002 x forced", "066 616c6c x", "150 0a000001 x"}, "", nil},
		"a user class":        {Client{UserClasses: [][]byte{[]byte("a"), []byte("lab")}}, []string{"044 0a000002 x forced", "066 616c6c x", `114 687474703a2f2f6c6162 x, user_classes "lab"`, "150 0a000001 x"}, "", []string{`user_classes "lab"`}},
		"the first number":    {Client{Architectures: []uint16{1, 9, 7}}, []string{"044 0a000002 x forced", "066 616c6c x", "150 0a000001 x", `209 6e696e65 x, architectures "9"`}, "", []string{`architectures "9"`}},
		"the longest of MACs": {Client{MAC: mac(0, 0x1b, 0x54, 1, 2, 3)}, []string{"044 0a000002 x forced", `066 6c6f6e676572 x, mac_prefixes "00:1b:54:01" | "all" of x`, "150 0a000001 x"}, "lab", []string{`mac_prefixes "00:1b:54:01"`}},
		"a MAC goes before a vendor class": {Client{MAC: mac(0, 0x1b, 0x54, 2, 2, 3), VendorClass: []byte("Cisco")}, []string{"044 0a000002 x forced",
			`066 6f7569 x, mac_prefixes "00:1b:54" | "cisco" of x, vendor_classes "Cisco" | "all" of x`, "150 0a000001 x"}, "network", []string{`vendor_classes "Cisco"`, `mac_prefixes "00:1b:54"`}},
	} {
		t.Run(name, func(t *testing.T) {
			s, findings := Compile([]Layer{layer(t, "x", voice)})
			if len(findings) != 0 {
				t.Fatalf("%+v", findings)
			}
			c.client.Requested, c.client.HasRequested = all().Requested, true
			if diff := cmp.Diff(c.want, lines(s.For(c.client))); diff != "" {
				t.Error(diff)
			}
			if tag, _ := s.PoolTag(c.client); tag != c.tag {
				t.Errorf("pool tag %q, want %q", tag, c.tag)
			}
			if diff := cmp.Diff(c.class, s.Matched(nil, c.client)); diff != "" {
				t.Error(diff)
			}
			c.client.Requested, c.client.HasRequested = nil, false
			for _, chosen := range s.For(c.client) {
				if !chosen.Force {
					t.Errorf("without option 55: %d", chosen.Code)
				}
			}
		})
	}
}

// OPT-8: layers merge as NetBox merges contexts, and explain can name all of them.
func TestLayers(t *testing.T) {
	for name, c := range map[string]struct {
		layers   []string
		want     []string
		findings int
	}{
		"the higher one": {[]string{`{"options": {"66": "a"}}`, `{"options": {"server-name": "b"}}`}, []string{`066 62 1 | "a" of 0`}, 0},
		"three":          {[]string{`{"options": {"66": "a"}}`, `{"options": {"66": "b"}}`, `{"options": {"66": "c"}}`}, []string{`066 63 2 | "b" of 1 | "a" of 0`}, 0},
		"the same value": {[]string{`{"options": {"66": "a"}}`, `{"options": {"66": "a"}}`}, []string{`066 61 1`}, 0},
		"others stay":    {[]string{`{"options": {"66": "a"}}`, `{"options": {"67": "b"}}`}, []string{`066 61 0`, `067 62 1`}, 0},
		"null takes one away": {[]string{`{"options": {"66": "a", "67": "b"}}`, `{"options": {"66": null}}`}, []string{
			`067 62 0`}, 0},
		"an empty object takes all away":  {[]string{`{"options": {"66": "a"}}`, `{"options": {}}`}, nil, 0},
		"sub-options merge":               {[]string{`{"options": {"43": {"1": "a", "2": "b"}}}`, `{"options": {"43": {"2": "c"}}}`}, []string{`043 010161020163 1, with parts of 0`}, 0},
		"force alone merges":              {[]string{`{"options": {"66": {"value": "a"}}}`, `{"options": {"66": {"force": true}}}`}, []string{`066 61 1, with parts of 0 forced`}, 0},
		"another form replaces":           {[]string{`{"options": {"43": {"1": "a"}}}`, `{"options": {"43": {"hex": "0a"}}}`}, []string{`043 0a 1 | {"1":"a"} of 0`}, 0},
		"a form gives way to sub-options": {[]string{`{"options": {"43": {"hex": "0a"}}}`, `{"options": {"43": {"1": "a"}}}`}, []string{`043 010161 1 | {"hex":"0a"} of 0`}, 0},
		"classes merge by key":            {[]string{`{"vendor_classes": {"a": {"options": {"66": "x", "67": "y"}}}}`, `{"vendor_classes": {"a": {"options": {"66": "z"}}, "b": {}}}`}, []string{`066 7a 1, vendor_classes "a" | "x" of 0`, `067 79 0, vendor_classes "a"`}, 0},
		"null takes a class away":         {[]string{`{"vendor_classes": {"a": {"options": {"66": "x"}}}}`, `{"vendor_classes": {"a": null}}`}, nil, 0},
		"a bad value costs that option":   {[]string{`{"options": {"66": "a", "67": "b"}}`, `{"options": {"66": 7}}`}, []string{`067 62 0`}, 1},
		"one option under two names":      {[]string{`{"options": {"66": "a", "server-name": "b"}}`}, []string{`066 61 0`}, 1},
		"options that are no object":      {[]string{`{"options": ["a"], "vendor_classes": "a"}`}, nil, 2},
		"a class with another key":        {[]string{`{"vendor_classes": {"a": {"option": {}, "options": {"66": "x"}}}}`}, []string{`066 78 0, vendor_classes "a"`}, 1},
		"keys that are no condition":      {[]string{`{"architectures": {"x64": {}}, "mac_prefixes": {"zz": {}}, "vendor_classes": {"": {}}}`}, nil, 3},
		"a pool tag that is none":         {[]string{`{"vendor_classes": {"a": {"pool_tag": 5}}}`}, nil, 1},
		"other keys are another's":        {[]string{`{"dns_servers": 5, "lease_time": {}}`}, nil, 0},
		"one MAC prefix in two spellings": {[]string{`{"mac_prefixes": {"02:00": {"options": {"66": "a"}}, "0200": {"options": {"66": "b"}}}}`}, []string{`066 62 0, mac_prefixes "02:00"`}, 1},
		"two spellings in different layers": {[]string{`{"mac_prefixes": {"02:00": {"options": {"66": "a"}}}}`, `{"mac_prefixes": {"02-00": {"options": {"66": "b"}}}}`},
			[]string{`066 62 1, mac_prefixes "02:00" | "a" of 0`}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var layers []Layer
			for i, data := range c.layers {
				layers = append(layers, layer(t, string(rune('0'+i)), data))
			}
			s, findings := Compile(layers)
			client := all()
			client.VendorClass, client.MAC = []byte("a"), []byte{2, 0, 0, 0, 0, 1}
			if diff := cmp.Diff(c.want, lines(s.For(client))); diff != "" || len(findings) != c.findings {
				t.Errorf("%s%+v", diff, findings)
			}
		})
	}
}

// OPT-8: the layers are shared with the snapshot, so nothing is written to them.
func TestLayersStayAsTheyAre(t *testing.T) {
	layers := []Layer{layer(t, "0", `{"options": {"43": {"1": "a"}, "66": {"value": "x", "force": true}}}`), layer(t, "1", `{"options": {"43": {"2": "b"}}}`)}
	before, _ := json.Marshal(layers)
	Compile(layers)
	if after, _ := json.Marshal(layers); string(after) != string(before) {
		t.Errorf("%s became %s", before, after)
	}
}

func TestNothingToSay(t *testing.T) {
	for _, data := range []string{`{}`, `{"options": {}}`, `{"dns_servers": ["10.0.0.1"]}`} {
		if s, findings := Compile([]Layer{layer(t, "x", data)}); s != nil || findings != nil {
			t.Errorf("%s: %v, %v", data, s, findings)
		}
	}
	var s *Set
	tag, _ := s.PoolTag(Client{})
	if s.For(all()) != nil || tag != "" || s.Matched(nil, all()) != nil || s.Classes() != nil {
		t.Error("a nil set says something")
	}
}

// OPT-3: whatever stands in a context, there is no panic, and what is sent fits.
func FuzzCompile(f *testing.F) {
	f.Add([]byte(voice), []byte(`{"options": {"43": {"1": {"sub_options": {"2": "x"}}}, "125": {"9": {"1": "x"}}}}`))
	f.Add([]byte(`{"options": {"120": ["a.b"], "33": ["10.0.0.1 10.0.0.2"], "143": ["u"], "78": "10.0.0.1"}}`), []byte(`{"options": {"46": 8, "2": -1, "66": {"hex": "00"}}}`))
	f.Fuzz(func(t *testing.T, low, high []byte) {
		var layers []Layer
		for _, data := range [][]byte{low, high} {
			var object map[string]any
			if json.Unmarshal(data, &object) == nil {
				layers = append(layers, Layer{Source: "x", Data: object})
			}
		}
		s, findings := Compile(layers)
		for _, chosen := range s.For(all()) {
			if len(chosen.Value) == 0 || len(chosen.Value) > 255 || refused(chosen.Code) != "" {
				t.Errorf("%d: %d bytes", chosen.Code, len(chosen.Value))
			}
		}
		for _, one := range findings {
			if one.Field == "" || one.Problem == "" {
				t.Errorf("%+v", one)
			}
		}
	})
}

// OPT-6: whatever a client says of itself, there is no panic, what it gets is
// sorted, and what it did not ask for is forced.
func FuzzFor(f *testing.F) {
	s, _ := Compile([]Layer{layer(f, "x", voice)})
	f.Add([]byte("Cisco AP"), []byte("lab"), []byte{0, 7}, []byte{0, 0x1b, 0x54, 1, 2, 3}, []byte{66, 150})
	f.Fuzz(func(t *testing.T, vendor, user, arch, mac, requested []byte) {
		c := Client{VendorClass: vendor, UserClasses: [][]byte{user}, MAC: mac, Requested: requested, HasRequested: len(requested) > 0}
		for i := range arch {
			c.Architectures = append(c.Architectures, uint16(arch[i]))
		}
		list := s.For(c)
		for i, chosen := range list {
			if !chosen.Force && !slices.Contains(requested, chosen.Code) {
				t.Errorf("%d was not asked for", chosen.Code)
			}
			if i > 0 && list[i-1].Code >= chosen.Code {
				t.Errorf("%d follows %d", chosen.Code, list[i-1].Code)
			}
		}
		if classes := s.Matched(nil, c); len(classes) > int(kinds) {
			t.Errorf("%q", classes)
		}
	})
}
