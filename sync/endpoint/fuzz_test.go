package endpoint

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// seeds are answers in every shape a server was seen or said to give.
func seeds() []string {
	return []string{
		"", "null", "[]", "[null]", "{}", "<html>", "{\"value\":[],\"Count\":0}", "\xef\xbb\xbf[]", `{"error":"no"}`, `[{}]`, `[[]]`, `"[]"`, `[1,"a"]`,
		`[{"scope_id":"10.8.4.0","name":"Lab","start_ip":"10.8.4.20","end_ip":"10.8.4.250","subnet_mask":"255.255.255.0","description":"","state":"Active","lease_duration_seconds":691200,"router":"10.8.4.1","failover_name":null}]`,
		`{"ScopeId":{"Address":1,"IPAddressToString":"10.8.4.0"},"SubnetMask":"255.255.255.0","StartRange":"10.8.4.20","EndRange":"10.8.4.30","LeaseDuration":"8.00:00:00","Router":"0.0.0.0"}`,
		`{"value":[{"ip_address":"10.8.4.33","client_id":"3c-52-82-0a-1b-2c","hostname":"a\u0027b","scope_id":"10.8.4.0","lease_expiry":"2026-07-01T09:30:00Z"}],"Count":1}`,
		`[{"IPAddress":"10.8.4.60","ClientId":"3C:52","Name":"x","LeaseExpiry":"/Date(1780000000000)/"},{"ip_address":"10.8.4.999"}]`,
		`{"name":"p","primary_server":"a","scope_ids":["10.8.4.0"],"max_client_lead_time":"01:00:00","state_switchover_interval":{"TotalSeconds":60.5},"enable_auth":"True"}`,
		`[{"code":"6","name":"DNS","value":["10.1.1.1",null,5],"type":"IPv4Address"},{"OptionId":300},{"code":3,"value":"10.1.1.1"}]`,
		`[{"scope_id":"10.8.4.0","start_ip":"10.8.4.29","end_ip":"10.8.4.20"}]`,
	}
}

// rules 1.4 quirk 1 and 1.4 quirk 2: a list is an error, or every entry of it is
// an item or described as malformed; what is blank is never a list.
func checkList[T any](t *testing.T, body []byte, list windhcp.List[T]) {
	t.Helper()
	if list.Err != nil {
		if list.Items != nil || list.Malformed != nil {
			t.Fatalf("%q: error %v with a list", body, list.Err)
		}
		return
	}
	if !json.Valid(body) || blank(body) {
		t.Fatalf("%q was read as a list", body)
	}
	var array []json.RawMessage
	if json.Unmarshal(body, &array) == nil {
		if n := len(list.Items) + len(list.Malformed); len(list.Malformed) <= maxMalformed && n != len(array) {
			t.Fatalf("%q: %d entries, %d items and malformed", body, len(array), n)
		}
	}
	for _, said := range list.Malformed {
		if !utf8.ValidString(said) || strings.ContainsFunc(said, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
			t.Fatalf("%q: said %q", body, said)
		}
	}
}

func FuzzScopes(f *testing.F) {
	fuzzLists(f, []string{"scope_id", "network_address"}, decodeScope, func(t *testing.T, s windhcp.Scope) {
		if !s.Subnet.IsValid() || s.Subnet.Masked() != s.Subnet || !s.ID().Is4() || s.Subnet.Bits() == 0 || s.LeaseSeconds < 0 || s.Router.IsUnspecified() {
			t.Fatalf("scope %+v", s)
		}
	})
}

func FuzzLeases(f *testing.F) {
	fuzzLists(f, []string{"ip_address"}, decodeLease, func(t *testing.T, l windhcp.Lease) {
		if !l.Addr.Is4() || windhcp.ParseClientID(string(l.ClientID)) != l.ClientID || !l.Expires.IsZero() && l.Expires.Location() != time.UTC {
			t.Fatalf("lease %+v", l)
		}
	})
}

func FuzzReservations(f *testing.F) {
	fuzzLists(f, []string{"ip_address"}, decodeReservation, func(t *testing.T, r windhcp.Reservation) {
		if !r.Addr.Is4() || windhcp.ParseClientID(string(r.ClientID)) != r.ClientID {
			t.Fatalf("reservation %+v", r)
		}
	})
}

func FuzzExclusions(f *testing.F) {
	fuzzLists(f, []string{"start_ip", "start_range"}, decodeExclusion, func(t *testing.T, e windhcp.Exclusion) {
		if !e.Contains(e.Start) || !e.Contains(e.End) || !e.Start.Is4() {
			t.Fatalf("exclusion %+v", e)
		}
	})
}

func FuzzOptions(f *testing.F) {
	fuzzLists(f, []string{"code", "option_id"}, decodeOption, func(t *testing.T, o windhcp.Option) {
		if o.Code < 1 || o.Code > 255 {
			t.Fatalf("option %+v", o)
		}
	})
}

func FuzzFailovers(f *testing.F) {
	fuzzLists(f, []string{"name"}, decodeFailover, func(t *testing.T, r windhcp.Failover) {
		for _, id := range r.Scopes {
			if !id.Is4() {
				t.Fatalf("relationship %+v", r)
			}
		}
		if r.Name == "" {
			t.Fatalf("relationship %+v", r)
		}
	})
}

func fuzzLists[T any](f *testing.F, identity []string, decode func(*record) T, check func(*testing.T, T)) {
	f.Helper()
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = trim(body)
		list := decodeList(body, identity, decode)
		checkList(t, body, list)
		for _, item := range list.Items {
			check(t, item)
		}
	})
}

// rule 3.7 guard b: no entry of a list of all scopes is lost, and
// one without scope makes every scope incomplete.
func FuzzByScope(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = trim(body)
		all := sortByScope(body, decodeLease)
		one := decodeList(body, []string{"ip_address"}, decodeLease)
		if (all.err != nil) != (one.Err != nil) {
			t.Fatalf("%q: together %v, alone %v", body, all.err, one.Err)
		}
		items := 0
		for _, id := range all.Scopes() {
			items += len(all.Of(id).Items)
			if !id.Is4() {
				t.Fatalf("%q: scope %s", body, id)
			}
		}
		if items > len(one.Items) {
			t.Fatalf("%q: %d items together, %d alone", body, items, len(one.Items))
		}
		if items < len(one.Items) && all.Of(netip.MustParseAddr("192.0.2.0")).Complete() {
			t.Fatalf("%q: %d of %d items are gone without a word", body, len(one.Items)-items, len(one.Items))
		}
	})
}

// rule 1.3: the first and the last moment that .NET knows are no times.
func TestATimeThatStandsForNoneIsNone(t *testing.T) {
	for expiry, want := range map[string]string{
		`"9999-12-31T23:59:59Z"`:         "",
		`"9999-12-31T23:59:59.9999999Z"`: "",
		`"9999-12-31T23:59:59"`:          "",
		`"9999-12-31T23:59:59-08:00"`:    "", // the year 10000 in UTC
		`"9999-12-31T23:59:59+02:00"`:    "",
		`"9999-01-01T00:00:00Z"`:         "",
		`"\/Date(253402300799999)\/"`:    "",
		`"\/Date(253402329599999)\/"`:    "",
		`"0001-01-01T00:00:00"`:          "",
		`"0001-01-01T00:00:00+02:00"`:    "",
		`"1601-01-01T00:00:00Z"`:         "", // the zero of file times
		`"\/Date(-62135596800000)\/"`:    "",
		`"\/Date(0)\/"`:                  "",
		`null`:                           "",
		`{"DisplayHint":2}`:              "",
		`{"value":null}`:                 "",
		`{"value":"\/Date(253402300799999)\/","DisplayHint":2,"DateTime":"Friday"}`:               "",
		`{"value":"\/Date(1782898200000)\/","DisplayHint":2,"DateTime":"1 July 2026 09:30:00"}`:   "2026-07-01T09:30:00Z",
		`{"value":"2026-07-01T11:30:00+02:00","DisplayHint":2,"DateTime":"1 July 2026 11:30:00"}`: "2026-07-01T09:30:00Z",
		`{"DateTime":"1 July 2026 09:30:00","DisplayHint":0,"Value":"\/Date(1782898200000)\/"}`:   "2026-07-01T09:30:00Z",
		`"Unlimited"`:                 "",
		`"9998-12-31T23:59:59Z"`:      "9998-12-31T23:59:59Z",
		`"2026-07-01T11:30:00+02:00"`: "2026-07-01T09:30:00Z",
	} {
		body := `[{"ip_address":"10.8.4.33","client_id":"3c-52","scope_id":"10.8.4.0","lease_expiry":` + expiry + `}]`
		list := decodeList([]byte(body), []string{"ip_address"}, decodeLease)
		if !list.Complete() || len(list.Items) != 1 {
			t.Errorf("%s: %+v", expiry, list)
			continue
		}
		got := ""
		if at := list.Items[0].Expires; !at.IsZero() {
			got = at.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%s is read as %q, want %q", expiry, got, want)
		}
	}
	for text, want := range map[string]int64{"10675199.02:48:05.4775807": windhcp.Unlimited, "4294967295": windhcp.Unlimited, "-00:00:01": windhcp.Unlimited, "49710.06:28:14": windhcp.Unlimited - 1} {
		body := `[{"scope_id":"10.8.4.0","subnet_mask":"255.255.255.0","start_ip":"10.8.4.1","end_ip":"10.8.4.9","lease_duration_seconds":"` + text + `"}]`
		if list := decodeList([]byte(body), []string{"scope_id"}, decodeScope); len(list.Items) != 1 || list.Items[0].LeaseSeconds != want {
			t.Errorf("a lease time of %s: %+v, want %d", text, list, want)
		}
	}
}

// rule 1.4 quirk 1.
func TestDurations(t *testing.T) {
	for text, want := range map[string]int64{
		"8.00:00:00": 691200, "00:30:00": 1800, "1.02:03:04.5000000": 93784, "691200": 691200, "3600.9": 3600, "-00:00:01": -1, "0": 0,
		"10675199.02:48:05.4775807": 922337203685,
	} {
		if have, ok := parseSeconds(text); !ok || have != want {
			t.Errorf("%q: %d, %v, want %d", text, have, ok, want)
		}
	}
	for _, text := range []string{"", "eight days", "24:00:00", "00:60:00", "00:00:60", "1:2", "1.2.3:00:00", "NaN", "1e300", ":::", "-", "99999999.00:00:00"} {
		if have, ok := parseSeconds(text); ok {
			t.Errorf("%q was read as %d", text, have)
		}
	}
}

// rules 1.4 quirk 1 and 3.9.
func TestDecodingOfSingleValues(t *testing.T) {
	decodeOne := func(body string) windhcp.List[windhcp.Scope] {
		return decodeList([]byte(body), []string{"scope_id"}, decodeScope)
	}
	const base = `{"scope_id":"10.8.4.0","subnet_mask":"255.255.255.0","start_ip":"10.8.4.1","end_ip":"10.8.4.9"`
	for name, c := range map[string]struct {
		more string
		ok   func(windhcp.Scope) bool
	}{
		"snake_case wins":           {`,"name":"a","Name":"b","Start_IP":"10.8.4.5"`, func(s windhcp.Scope) bool { return s.Name == "a" && s.Start.String() == "10.8.4.1" }},
		"a router of zeroes":        {`,"router":"0.0.0.0"`, func(s windhcp.Scope) bool { return !s.Router.IsValid() }},
		"an empty router":           {`,"router":""`, func(s windhcp.Scope) bool { return !s.Router.IsValid() }},
		"a duration of zero":        {`,"lease_duration_seconds":0`, func(s windhcp.Scope) bool { return s.LeaseSeconds == windhcp.Unlimited }},
		"the longest duration":      {`,"lease_duration_seconds":4294967295`, func(s windhcp.Scope) bool { return s.LeaseSeconds == windhcp.Unlimited }},
		"no duration":               {`,"lease_duration_seconds":null`, func(s windhcp.Scope) bool { return s.LeaseSeconds == 0 }},
		"a negative duration":       {`,"lease_duration_seconds":-1`, func(s windhcp.Scope) bool { return s.LeaseSeconds == windhcp.Unlimited }},
		"an unreadable duration":    {`,"lease_duration_seconds":{"x":1}`, func(s windhcp.Scope) bool { return s.LeaseSeconds == 0 }},
		"a duration as object":      {`,"LeaseDuration":{"Ticks":1,"TotalSeconds":3600.0}`, func(s windhcp.Scope) bool { return s.LeaseSeconds == 3600 }},
		"escapes":                   {`,"name":"Anna\u0027s"`, func(s windhcp.Scope) bool { return s.Name == "Anna's" }},
		"a number as name":          {`,"name":5`, func(s windhcp.Scope) bool { return s.Name == "5" }},
		"an unknown state":          {`,"state":"InactiveWithSomething"`, func(s windhcp.Scope) bool { return !s.Active() }},
		"a state in any case":       {`,"state":"ACTIVE"`, func(s windhcp.Scope) bool { return s.Active() }},
		"an address taken to parts": {`,"router":{"Address":17041418,"IPAddressToString":"10.8.4.1"}`, func(s windhcp.Scope) bool { return s.Router.String() == "10.8.4.1" }},
	} {
		list := decodeOne("[" + base + c.more + "}]")
		if !list.Complete() || len(list.Items) != 1 || !c.ok(list.Items[0]) {
			t.Errorf("%s: %+v", name, list)
		}
	}
	for name, body := range map[string]string{
		"no scope_id":      `[{"subnet_mask":"255.255.255.0"}]`,
		"no mask":          `[{"scope_id":"10.8.4.0"}]`,
		"a mask with gaps": `[{"scope_id":"10.8.4.0","subnet_mask":"255.0.255.0"}]`,
		"a mask of zeroes": `[{"scope_id":"0.0.0.0","subnet_mask":"0.0.0.0"}]`,
		"host bits":        `[{"scope_id":"10.8.4.1","subnet_mask":"255.255.255.0"}]`,
		"IPv6":             `[{"scope_id":"2001:db8::","subnet_mask":"255.255.255.0"}]`,
		"octal":            `[{"scope_id":"010.8.4.0","subnet_mask":"255.255.255.0"}]`,
		"a bad start":      `[` + strings.Replace(base, `"10.8.4.1"`, `"x"`, 1) + `}]`,
		"a list as name":   `[` + base + `,"name":["a"]}]`,
	} {
		if list := decodeOne(body); list.Err != nil || len(list.Items) != 0 || len(list.Malformed) != 1 {
			t.Errorf("%s: %+v", name, list)
		}
	}
}

func TestManyMalformedEntriesAreCounted(t *testing.T) {
	list := decodeList([]byte("["+strings.Repeat("{},", 99)+"{}]"), []string{"ip_address"}, decodeLease)
	if n := len(list.Malformed); n != maxMalformed+1 || list.Malformed[n-1] != "and 80 more" {
		t.Errorf("%d: %q", n, list.Malformed)
	}
}

func TestAWrongCountIsAnError(t *testing.T) {
	for _, body := range []string{`{"value":[],"Count":1}`, `{"value":null,"Count":0}`, `{"value":{},"Count":1}`, `{"error":"x"}`, `{"status":"ok"}`, `{`, `[`, `"x"`} {
		if list := decodeList([]byte(body), []string{"ip_address"}, decodeLease); list.Err == nil {
			t.Errorf("%s: %+v", body, list)
		}
	}
}
