package ipam

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// compareAddrs compares netip values, whose fields are unexported.
var compareAddrs = cmp.Options{
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
	cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
}

// sampleDisk has a value in every field of every table.
func sampleDisk() Disk {
	d := sampleDiskNoNames()
	for _, a := range d.Objects.Addresses {
		a.DNSName = "web.example.org"
	}
	return d
}

// sampleDiskNoNames has a value in every field that version 6 knew.
func sampleDiskNoNames() Disk {
	d := sampleDiskNoEnds()
	for _, port := range d.Objects.Interfaces {
		port.FarEnd = InterfaceID{Kind: Device, ID: 12}
	}
	return d
}

// sampleDiskNoEnds has a value in every field that version 5 knew.
func sampleDiskNoEnds() Disk {
	d := sampleDiskPlain()
	for _, a := range d.Objects.Addresses {
		a.Reserved = &Reservation{MAC: MAC{0x52, 0x54, 0, 0, 0, 2}, ClientID: "\x00a", Trouble: "none"}
	}
	for _, m := range d.Objects.Machines {
		m.Serial = "FOC2221A0BC"
	}
	return d
}

// sampleDiskPlain has a value in every field that version 4 knew.
func sampleDiskPlain() Disk {
	d := sampleDiskBefore()
	o := d.Objects
	for _, vrf := range o.VRFs {
		vrf.Loss = Lost
	}
	for _, p := range o.Prefixes {
		p.Loss, p.Tags = Lost, []int64{6}
	}
	for _, c := range o.Contexts {
		c.Tags = []string{"voice"}
	}
	for _, a := range o.Addresses {
		a.Loss, a.Created, a.Made, a.Range = Ended, d.Taken.Add(-time.Hour), true, o.Ranges[3]
	}
	for _, r := range o.Ranges {
		r.Loss, r.Bits, r.Role, r.Managed, r.Populated = Lost, 24, Role{ID: 2, Name: "Pool", Slug: "pool"}, true, true
	}
	o.NoPools = true
	for _, m := range o.MACs {
		m.Loss = Lost
	}
	for _, i := range o.Interfaces {
		i.Loss = Lost
	}
	for _, m := range o.Machines {
		m.Loss = Lost
	}
	for _, tag := range o.Tags {
		tag.Loss = Lost
	}
	d.Followed = map[string]Followed{"vrf blue": {ID: 1, Former: 2}}
	mark := KeptMark{Table: "ipam/ip-addresses", ID: 4, Since: d.Taken, Seen: d.Taken, Until: d.Taken}
	d.Lost = Kept{Rows: o, Marks: []KeptMark{mark}}
	d.Held = Kept{Rows: o, Marks: []KeptMark{mark}}
	return d
}

// sampleDiskBefore has a value in every field that version 3 knew.
func sampleDiskBefore() Disk {
	at := time.Date(2026, 3, 4, 5, 6, 7, 890_000_000, time.UTC)
	port := InterfaceID{Kind: VirtualMachine, ID: 7}
	vm := MachineID{Kind: VirtualMachine, ID: 3}
	return Disk{
		URL: "https://netbox.example.org", Key: "fields=a,b", Taken: at,
		Marks: map[string]time.Time{"ipam/ip-addresses": at},
		Objects: &Objects{
			VRFs: map[int64]*VRF{1: {ID: 1, Name: "blue", RD: "65000:1"}},
			Prefixes: map[int64]*Prefix{2: {
				ID: 2, Prefix: netip.MustParsePrefix("10.0.0.0/24"), VRF: 1, Status: "active",
				Scope: Scope{Kind: ScopeSite, ID: 4}, Tenant: 5, VLAN: 8, LastUpdated: at,
			}},
			Ranges: map[int64]*Range{3: {
				ID: 3, Start: netip.MustParseAddr("10.0.0.10"), End: netip.MustParseAddr("10.0.0.20"),
				VRF: 1, Status: "active", Tags: []int64{6},
			}},
			Addresses: map[int64]*Address{4: {
				ID: 4, Address: netip.MustParsePrefix("10.0.0.5/24"), VRF: 1, Status: "active", Role: "secondary",
				Tags: []int64{6, 7}, Interface: port, Managed: true, LastUpdated: at,
				Record: Record{Client: "52:54:00:00:00:01", Expires: at, Hostname: "web", Unreadable: true},
			}},
			MACs:       map[int64]*MACAddress{5: {ID: 5, MAC: MAC{0x52, 0x54, 0, 0, 0, 1}, Interface: port, LastUpdated: at}},
			Interfaces: map[InterfaceID]*Interface{port: {ID: port, Name: "eth0", Machine: vm, LAG: 9, Bridge: 10, Parent: 11, LastUpdated: at}},
			Machines: map[MachineID]*Machine{vm: {
				ID: vm, Name: "web", PrimaryIP4: 4, Context: json.RawMessage(`{"dns_servers":["10.0.0.1"]}`),
				Gate: map[string]json.RawMessage{"redeploy": json.RawMessage("true")}, LastUpdated: at,
			}},
			Tags:       map[int64]*Tag{6: {ID: 6, Name: "DHCP", Slug: "dhcp"}},
			Regions:    map[int64]*Nested{1: {ID: 1, Parent: 2, Name: "north"}},
			SiteGroups: map[int64]*Nested{1: {ID: 1, Parent: 3, Name: "labs"}},
			Sites:      map[int64]*Site{4: {ID: 4, Region: 1, Group: 1, Tenant: 5, Name: "hq"}},
			Locations:  map[int64]*Location{1: {ID: 1, Site: 4, Parent: 2, Name: "room"}},
			Tenants:    map[int64]*Tenant{5: {ID: 5, Group: 6, Name: "ops"}},
			Contexts: []*ConfigContext{{
				ID: 1, Name: "base", Weight: 1000, Regions: []int64{1}, SiteGroups: []int64{1}, Sites: []int64{4},
				Locations: []int64{1}, Tenants: []int64{5}, TenantGroups: []int64{6}, MachinesOnly: true,
				Data: json.RawMessage(`{}`),
			}},
			NoVLANs: true, NoLinks: true,
		},
	}
}

func encodeDisk(t testing.TB, d Disk) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := EncodeDisk(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDiskCopyKeepsEveryField(t *testing.T) {
	want := sampleDisk()
	if path := zeroField(reflect.ValueOf(want), "Disk"); path != "" {
		t.Fatalf("the sample says nothing about %s", path)
	}
	got, err := DecodeDisk(bytes.NewReader(encodeDisk(t, want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// zeroField names the first field below v that has no value.
func zeroField(v reflect.Value, path string) string {
	switch v.Type() {
	case reflect.TypeFor[time.Time](), reflect.TypeFor[netip.Addr](), reflect.TypeFor[netip.Prefix]():
		if v.IsZero() {
			return path
		}
		return ""
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return path
		}
		return zeroField(v.Elem(), path)
	case reflect.Struct:
		for i := range v.NumField() {
			if empty := zeroField(v.Field(i), path+"."+v.Type().Field(i).Name); empty != "" {
				return empty
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			return zeroField(v.MapIndex(key), path+"[]")
		}
		return path
	case reflect.Slice:
		if v.Len() == 0 {
			return path
		}
		return zeroField(v.Index(0), path+"[]")
	default:
		if v.IsZero() {
			return path
		}
	}
	return ""
}

// A copy written by an earlier program must not be read as something else:
// a change of a type below Disk needs a new number in diskHeader here.
func TestDiskHeaderNamesTheTypesBelowIt(t *testing.T) {
	shapes := map[string]string{
		"coredhcp-netbox tables 1\n": "e7bb75be3ccbe4d1",
		"coredhcp-netbox tables 2\n": "522ea8ea36552474",
		"coredhcp-netbox tables 3\n": "98fbd0ccc42530cc",
		"coredhcp-netbox tables 4\n": "a7f2f186a35979e9",
		"coredhcp-netbox tables 5\n": "575bc0ec0e897067",
		"coredhcp-netbox tables 6\n": "171b006937c38a65",
		"coredhcp-netbox tables 7\n": "e93eba844751df94",
	}
	sum := sha256.Sum256([]byte(shapeOf(reflect.TypeFor[Disk](), nil)))
	if got := hex.EncodeToString(sum[:8]); got != shapes[diskHeader] {
		t.Errorf("the types below Disk changed: give diskHeader the next number and note here that its shape is %s", got)
	}
}

// A server starts from the copy that a version before left. The files were
// written by those versions: the first knows no bridges and parents (H-1, I-7),
// the second no lost rows (T-1), the third no tags of prefixes and contexts (CTX-1), nothing that makes ranges
// pools (N-14), and no reservations (CL-1), the fourth no far ends of cables (CL-20),
// the fifth no DNS names of addresses (DNS-6).
func TestDiskCopiesOfTheVersionsBeforeAreRead(t *testing.T) {
	for file, linked := range map[string]bool{"testdata/tables-2.snapshot": false, "testdata/tables-3.snapshot": true, "testdata/tables-4.snapshot": true} {
		got, err := ReadDiskFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := sampleDiskBefore()
		want.Objects.NoVLANs, want.Objects.NoLinks, want.Objects.NoPools = !linked, !linked, true
		if port := want.Objects.Interfaces[InterfaceID{VirtualMachine, 7}]; !linked {
			port.Bridge, port.Parent, want.Objects.Addresses[4].Managed = 0, 0, false
		}
		if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", file, diff)
		}
		again, err := DecodeDisk(bytes.NewReader(encodeDisk(t, got)))
		if err != nil || again.Objects.NoVLANs != !linked || again.Objects.NoLinks != !linked || !again.Objects.NoPools {
			t.Errorf("%s: written again without knowing more: NoVLANs %v, NoLinks %v, NoPools %v, %v", file, again.Objects.NoVLANs, again.Objects.NoLinks, again.Objects.NoPools, err)
		}
	}
	for file, want := range map[string]Disk{"testdata/tables-5.snapshot": sampleDiskNoEnds(), "testdata/tables-6.snapshot": sampleDiskNoNames()} {
		got, err := ReadDiskFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, compareAddrs); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", file, diff)
		}
	}
}

// Ranges of a copy of version 5 are pools still: all that makes them so is in it (H-1, N-14).
func TestRangesOfTheVersionBeforeStayPools(t *testing.T) {
	d := sampleDiskNoEnds()
	d.Objects.NoPools = false
	old := bytes.Replace(encodeDisk(t, d), []byte(diskHeader), []byte(diskHeaderNoEnds), 1)
	sum := sha256.Sum256(old[:len(old)-sha256.Size])
	got, err := DecodeDisk(bytes.NewReader(append(old[:len(old)-sha256.Size], sum[:]...)))
	if err != nil || got.Objects.NoPools {
		t.Errorf("NoPools %v, %v", err == nil && got.Objects.NoPools, err)
	}
}

// shapeOf writes down a type with everything below it.
func shapeOf(t reflect.Type, seen []reflect.Type) string {
	if t.PkgPath() != "" && t.PkgPath() != reflect.TypeFor[Disk]().PkgPath() {
		return t.String()
	}
	switch t.Kind() {
	case reflect.Pointer:
		return shapeOf(t.Elem(), seen)
	case reflect.Slice, reflect.Array:
		return "[]" + shapeOf(t.Elem(), seen)
	case reflect.Map:
		return "{" + shapeOf(t.Key(), seen) + ":" + shapeOf(t.Elem(), seen) + "}"
	case reflect.Struct:
		if slices.Contains(seen, t) {
			return t.Name()
		}
		var fields []string
		for i := range t.NumField() {
			f := t.Field(i)
			fields = append(fields, f.Name+" "+shapeOf(f.Type, append(seen, t)))
		}
		return t.Name() + "(" + strings.Join(fields, ", ") + ")"
	}
	return t.Kind().String()
}

func TestMachinesShareEqualContextsAfterDecoding(t *testing.T) {
	d := sampleDisk()
	twin := MachineID{Kind: Device, ID: 3}
	d.Objects.Machines[twin] = &Machine{ID: twin, Context: slices.Clone(d.Objects.Machines[MachineID{VirtualMachine, 3}].Context)}
	got, err := DecodeDisk(bytes.NewReader(encodeDisk(t, d)))
	if err != nil {
		t.Fatal(err)
	}
	a, b := got.Objects.Machines[twin].Context, got.Objects.Machines[MachineID{VirtualMachine, 3}].Context
	if !bytes.Equal(a, b) || &a[0] != &b[0] {
		t.Errorf("%s and %s are two copies", a, b)
	}
}
