package decide

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// netboxDNSName is what NetBox demands of a dns_name.
var netboxDNSName = regexp.MustCompile(`^([0-9A-Za-z_-]+|\*)(\.[0-9A-Za-z_-]+)*\.?$`)

// rule 3.6, dns_name.
func TestHostNamesBecomeWhatNetBoxTakes(t *testing.T) {
	long := strings.Repeat("a", 100)
	for name, c := range map[string]struct{ hostname, want string }{
		"a plain name stays":                     {"pc-17.corp.example", "pc-17.corp.example"},
		"upper case":                             {"PC-17.Corp.Example", "pc-17.corp.example"},
		"spaces around and a final dot":          {" \tpc-17.corp.example. \r\n", "pc-17.corp.example"},
		"umlauts":                                {"Müller-Büro", "muller-buro"},
		"umlauts written as letter and mark":     {"Mu\u0308ller", "muller"},
		"a letter that becomes two":              {"Straße-7", "strasse-7"},
		"the Turkish capital I":                  {"İSTANBUL", "istanbul"},
		"Cyrillic":                               {"бухгалтерия-2", "bukhgalteriia-2"},
		"Chinese":                                {"北京-pc", "beijing-pc"},
		"spaces inside":                          {"Anna's  iPhone", "anna-s-iphone"},
		"a computer account":                     {"PC-17$", "pc-17"},
		"a dollar inside":                        {"share$1", "share-1"},
		"brackets and signs":                     {"[lab] (old)/printer#3", "lab-old-printer-3"},
		"an underscore stays":                    {"BAD_ADDRESS", "bad_address"},
		"rows of hyphens":                        {"pc---17", "pc-17"},
		"hyphens at the ends of labels":          {"-pc-17-.-corp-.example-", "pc-17.corp.example"},
		"empty labels":                           {"..pc-17...corp..", "pc-17.corp"},
		"labels of symbols only":                 {"pc-17.$$$.corp", "pc-17.corp"},
		"emoji":                                  {"Tom🎧📱 laptop", "tom-laptop"},
		"emoji only":                             {"🎧📱", ""},
		"control characters":                     {"pc\x00\x1b[31m17\x7f", "pc-31m17"},
		"broken UTF-8":                           {"pc\xff\xfe17", "pc-17"},
		"text that turns direction":              {"pc\u202e71", "pc-71"},
		"a full-width dot is no boundary":        {"pc．corp", "pc-corp"},
		"an internationalised label":             {"XN--A--EIA.example", "xn--a--eia.example"},
		"something like one":                     {"xn--a b.example", "xn-a-b.example"},
		"an internationalised label of nothing":  {"xn--", "xn"},
		"a star":                                 {"*", ""},
		"a star as the first label":              {"*.corp.example", "corp.example"},
		"symbols only":                           {"$%&/()=?", ""},
		"underscores only":                       {"__._", ""},
		"nothing":                                {"", ""},
		"only spaces":                            {" \t", ""},
		"only a dot":                             {".", ""},
		"300 characters are cut between labels":  {long + "." + long + "." + long, long + "." + long},
		"a label that does not fit ends it":      {long + "." + long + "." + long + ".b", long + "." + long},
		"255 characters fit":                     {long + "." + long + "." + strings.Repeat("b", 53), long + "." + long + "." + strings.Repeat("b", 53)},
		"256 do not":                             {long + "." + long + "." + strings.Repeat("b", 54), long + "." + long},
		"one label of 300 has no boundary":       {strings.Repeat("c", 300), strings.Repeat("c", 255)},
		"a cut leaves no hyphen at the end":      {strings.Repeat("c", 254) + "-c", strings.Repeat("c", 254)},
		"300 characters that become six hundred": {strings.Repeat("ж", 300), strings.Repeat("zh", 127) + "z"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := DNSName(c.hostname); got != c.want {
				t.Errorf("DNSName(%q) = %q, want %q", c.hostname, got, c.want)
			}
		})
	}
}

func checkDNSName(t interface {
	Helper()
	Errorf(string, ...any)
}, hostname string) {
	t.Helper()
	name := DNSName(hostname)
	if name != "" && !netboxDNSName.MatchString(name) || len(name) > maxDNSName || name != strings.ToLower(name) {
		t.Errorf("DNSName(%q) = %q, which NetBox does not take", hostname, name)
	}
	if again := DNSName(name); again != name {
		t.Errorf("DNSName(%q) = %q, but DNSName of that is %q", hostname, name, again)
	}
}

func TestEveryHostNameBecomesAStableName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.OneOf(
			rapid.String(), rapid.StringMatching(`[a-zA-Z0-9._ *$-]{0,80}`), rapid.SampledFrom([]string{"xn--", "-", ".", "*", "ß", "…", "№", "\u0308"}))
		checkDNSName(t, strings.Join(rapid.SliceOfN(word, 0, 12).Draw(t, "words"), ""))
	})
}

func FuzzDNSName(f *testing.F) {
	for _, s := range []string{"PC-17.corp.example.", "Müller", "*", "xn--a--b-", "\xff", strings.Repeat("ab.", 100), strings.Repeat("c", 254) + "-c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, hostname string) { checkDNSName(t, hostname) })
}
