package options

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4/dhcp4test"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// asked is one device of testdata/devices.yml.
type asked struct {
	Device       string            `yaml:"device"`
	Page         string            `yaml:"page"`
	MAC          string            `yaml:"mac"`
	Class        string            `yaml:"class"`
	ClassHex     string            `yaml:"class_hex"`
	UserClassHex string            `yaml:"user_class_hex"` // option 77 as it is on the wire
	Architecture string            `yaml:"architecture"`   // option 93, in hex
	Inform       bool              `yaml:"inform"`
	Address      string            `yaml:"address"` // that it gets; empty: any
	Asks         []int             `yaml:"asks"`
	Gets         map[string]string `yaml:"gets"`
}

func devices(t *testing.T) []asked {
	t.Helper()
	var file struct {
		Devices []asked `yaml:"devices"`
	}
	read(t, "devices.yml", &file)
	return file.Devices
}

func read(t *testing.T, name string, out any) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := strictyaml.Decode(name, text, out).Err(); err != nil {
		t.Fatal(err)
	}
}

func unhex(t *testing.T, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hardware is the device's MAC address.
func (a asked) hardware(t *testing.T) net.HardwareAddr {
	t.Helper()
	if a.MAC == "" {
		return net.HardwareAddr{0x02, 0, 0, 0, 0, 0x77}
	}
	mac, err := net.ParseMAC(a.MAC)
	if err != nil {
		t.Fatal(err)
	}
	return mac
}

// vendorClass is its option 60; nil: none.
func (a asked) vendorClass(t *testing.T) []byte {
	t.Helper()
	if a.ClassHex != "" {
		return unhex(t, a.ClassHex)
	}
	if a.Class == "" {
		return nil
	}
	return []byte(a.Class)
}

// requested is its option 55.
func (a asked) requested() (codes []byte) {
	for _, code := range a.Asks {
		codes = append(codes, byte(code))
	}
	return codes
}

// at is an address of the example's network.
func at(t *testing.T, heading string, host int) string {
	t.Helper()
	third, ok := map[string]int{"Phones": 20, "Phones and computers in one prefix": 70, "Access points": 30, "Switches": 40, "Diskless Linux": 50, "Windows": 60}[heading]
	if !ok {
		t.Fatalf("no network of %q", heading)
	}
	return fmt.Sprintf("10.%d.0.%d", third, host)
}

// message is what the device sends: DISCOVER, or INFORM from an address of the
// example's network.
func (a asked) message(t *testing.T) *dhcpv4.DHCPv4 {
	t.Helper()
	mods := []dhcpv4.Modifier{dhcpv4.WithHwAddr(a.hardware(t))}
	kind := dhcpv4.MessageTypeDiscover
	if a.Inform {
		kind = dhcpv4.MessageTypeInform
		mods = append(mods, dhcp4test.ClientAddr(at(t, a.Page, 150)))
	}
	if class := a.vendorClass(t); class != nil {
		mods = append(mods, dhcp4test.Raw(60, class...))
	}
	if a.UserClassHex != "" {
		mods = append(mods, dhcp4test.Raw(77, unhex(t, a.UserClassHex)...))
	}
	if a.Architecture != "" {
		mods = append(mods, dhcp4test.Raw(93, unhex(t, a.Architecture)...))
	}
	if codes := a.requested(); codes != nil {
		mods = append(mods, dhcp4test.Raw(55, codes...))
	}
	return dhcp4test.Request(t, kind, mods...)
}

// want is what the device gets, in hex by option.
func (a asked) want(t *testing.T) map[uint8]string {
	t.Helper()
	want := make(map[uint8]string)
	for key, value := range a.Gets {
		code, err := strconv.ParseUint(key, 10, 8)
		form, rest, _ := strings.Cut(value, " ")
		switch {
		case err != nil:
			t.Fatal(err)
		case form == "text":
			want[uint8(code)] = hex.EncodeToString([]byte(rest))
		case form == "hex":
			want[uint8(code)] = hex.EncodeToString(unhex(t, rest))
		default:
			t.Fatalf("%s, option %s: want hex or text, not %q", a.Device, key, value)
		}
	}
	return want
}

// seen matches the rows of the page that tell all of an option 55: device, what it
// says, the list, source.
var seen = regexp.MustCompile(`(?m)^\| ([^|]+) \| [^|]* \| ([0-9 ]+) \| [^|]+ \|$`)

// OPT-7: what the page says that devices ask for is what the goldens ask for.
func TestEachListOfThePageHasAGolden(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	asked := make(map[string]bool)
	for _, a := range devices(t) {
		asked[strings.Trim(fmt.Sprint(a.Asks), "[]")] = true
	}
	rows := seen.FindAllStringSubmatch(string(text), -1)
	if len(rows) < 20 {
		t.Errorf("%d lists on the page", len(rows))
	}
	for _, row := range rows {
		if !asked[row[2]] {
			t.Errorf("%s: no golden asks for %s", row[1], row[2])
		}
	}
}

// published matches the rows of the page's last table: maker, option, how it is
// written, and the bytes.
var published = regexp.MustCompile("(?m)^\\| ([^|]+) \\| ([0-9]+) \\| `(.+?)` \\| ([0-9a-f ]+) \\|")

// OPT-2: values that makers print, or that were captured, as the page says to write them.
func TestPublishedValues(t *testing.T) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Values of other makers")
	rows := published.FindAllStringSubmatch(table, -1)
	if want := strings.Count(table, "\n| ") - 1; len(rows) != want || want < 9 {
		t.Errorf("%d of %d rows are understood", len(rows), want)
	}
	for _, row := range rows {
		maker, code, value, want := row[1], row[2], row[3], row[4]
		t.Run(maker, func(t *testing.T) {
			var file struct {
				Options json.RawMessage `yaml:"options"`
			}
			if err := strictyaml.Decode(maker, []byte("options: {"+code+": "+value+"}"), &file).Err(); err != nil {
				t.Fatal(err)
			}
			var options map[string]any
			if err := json.Unmarshal(file.Options, &options); err != nil {
				t.Fatal(err)
			}
			compiled, findings := option.Compile([]option.Layer{{Source: maker, Data: map[string]any{"options": options}}})
			number, _ := strconv.ParseUint(code, 10, 8)
			got := compiled.For(option.Client{HasRequested: true, Requested: []byte{byte(number)}})
			if len(findings) != 0 || len(got) != 1 || !bytes.Equal(got[0].Value, unhex(t, want)) {
				t.Errorf("got %v with findings %v, want %s", got, findings, want)
			}
		})
	}
}
