package windhcp

import "testing"

// rule 3.3: full name, then unique short name, then IP, then alias.
func TestServersAreMatchedByWhatOthersCallThem(t *testing.T) {
	servers := []ServerName{
		{Host: "dh1.corp.example", Aliases: []string{"10.0.0.1", "old-dh1"}},
		{Host: "dh2.corp.example"},
		{Host: "twin.east.example"},
		{Host: "twin.west.example"},
		{Host: "10.0.0.9"},
	}
	for _, c := range []struct {
		name string
		want int
	}{
		{"dh1.corp.example", 0},
		{"DH1.Corp.Example.", 0},
		{"dh2", 1},
		{"DH2", 1},
		{"10.0.0.1", 0},
		{"old-dh1", 0},
		{"10.0.0.9", 4},
		{"twin.west.example", 3},
		{"twin", -1},              // two have this short name
		{"dh1.other.example", -1}, // a full name that differs
		{"dh3", -1},
		{"", -1},
		{"10.0.0.2", -1},
	} {
		i, ok := MatchServer(c.name, servers)
		if ok != (c.want >= 0) || ok && i != c.want {
			t.Errorf("%q: got %d, %v; want %d", c.name, i, ok, c.want)
		}
	}
}
