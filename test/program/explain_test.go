package program

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// explanation is what explain says in JSON, but for what it rests on.
type explanation struct {
	Verdict, Rule, Reason, Address, Network, Client string

	Why   []struct{ Rule, Text string }
	Reply map[string]string
}

// explains asks about a message of a client, and returns what the answer rests on as
// well.
func (o *office) explains(mac net.HardwareAddr, more ...string) (said explanation, restsOn string) {
	o.t.Helper()
	args := append([]string{"explain", "--conf", o.conf, "--json", "--server-id", "127.0.0.1", "--relay", "10.77.0.1", "--mac", mac.String()}, more...)
	command := exec.CommandContext(o.t.Context(), binary, args...)
	command.Env = []string{"HOME=" + o.t.TempDir(), "NETBOX_TOKEN=" + limitedToken}
	out, err := command.Output()
	if err != nil {
		exit := new(exec.ExitError)
		_ = errors.As(err, &exit)
		o.t.Fatalf("explain %q: %v\n%s", more, err, exit.Stderr)
	}
	var rest struct {
		RestsOn []string `json:"rests_on"`
	}
	for _, into := range []any{&said, &rest} {
		if err := json.Unmarshal(out, into); err != nil {
			o.t.Fatal(err)
		}
	}
	return said, strings.Join(rest.RestsOn, "; ")
}

// C-7: the server that runs, and its files once it has ended, give one answer, also
// where rows vanished, are doubted, or where the names of the settings lead elsewhere.
func TestFilesExplainAlike(t *testing.T) {
	nothing := []int64{1 << 40}
	rename := func(o *office, path, name, to string) {
		o.netbox.Edit(o.t, path, o.seeded.ID(o.t, path, name), map[string]any{"name": to, "slug": strings.ToLower(to)})
	}
	for name, change := range map[string]func(*office){
		"all is well": func(*office) {},
		"addresses are lost but for one": func(o *office) {
			o.see(map[string][]int64{"ipam.ipaddress": o.ids("ipam/ip-addresses", "lab 10.77.0.1/20")})
		},
		"MAC addresses are lost": func(o *office) { o.see(map[string][]int64{"dcim.macaddress": nothing}) },
		"machines are lost":      func(o *office) { o.see(map[string][]int64{"dcim.device": nothing}) },
		"the prefix is lost":     func(o *office) { o.see(map[string][]int64{"ipam.prefix": nothing}) },
		"the deletion of a tag is doubted": func(o *office) {
			o.netbox.Delete(o.t, "extras/tags", o.seeded.ID(o.t, "extras/tags", "DHCP"))
		},
		"the deletion of hosts is doubted": func(o *office) {
			for _, id := range o.ids("ipam/ip-addresses", "lab 10.77.0.10/20", "lab 10.77.0.11/20", "lab 10.77.0.12/20", "lab 10.77.0.13/20", "lab 10.77.0.14/20") {
				o.netbox.Delete(o.t, "ipam/ip-addresses", id)
			}
		},
		"a tag is followed by its id": func(o *office) { rename(o, "extras/tags", "DHCP", "Pool") },
		"another tag has the name": func(o *office) {
			rename(o, "extras/tags", "DHCP", "Pool")
			o.polled()
			o.netbox.Add(o.t, "extras/tags", map[string]any{"name": "DHCP", "slug": "dhcp"})
		},
		"the VRF is followed by its id": func(o *office) {
			o.netbox.Edit(o.t, "ipam/vrfs", o.seeded.ID(o.t, "ipam/vrfs", "lab"), map[string]any{"name": "laboratory"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			change(o)
			o.polled()
			o.restart("NetBox read") // all of it, which shows what is lost
			ask := func(from string) (all []explanation) {
				for _, q := range []struct {
					mac  net.HardwareAddr
					more []string
				}{
					{hostMAC(0), nil},
					{hostMAC(0), []string{"--message", "init-reboot", "--request", "10.77.0.10"}},
					{hostMAC(0), []string{"--message", "init-reboot", "--request", "10.77.1.7"}},
					{mac(0), nil},
					{mac(0), []string{"--message", "init-reboot", "--request", "10.99.0.1"}},
					{mac(99), nil},
					{mac(99), []string{"--message", "init-reboot", "--request", "10.77.1.1"}},
				} {
					said, restsOn := o.explains(q.mac, q.more...)
					if !strings.Contains(restsOn, from) {
						t.Errorf("%s %q rests on %s, want %s", q.mac, q.more, restsOn, from)
					}
					all = append(all, said)
				}
				return all
			}
			server := ask("running server")
			o.stop()
			for i, files := range ask("copy on disk") {
				if !reflect.DeepEqual(files, server[i]) {
					t.Errorf("question %d: the files say\n%+v\nthe server said\n%+v", i, files, server[i])
				}
			}
		})
	}
}

// C-7, H-10: what the files say when the copy of NetBox is not as the server left
// it: the second copy counts where the first cannot be used, and a copy of another
// NetBox, or of other settings, does not count at all, as at a start.
func TestFilesThatAServerWouldNotUse(t *testing.T) {
	damage := func(o *office) {
		write(o.t, filepath.Join(filepath.Dir(o.conf), "state", "netbox.snapshot"), "damaged")
	}
	settings := func(from, to string) func(*office) {
		return func(o *office) {
			text, err := os.ReadFile(o.conf)
			if err != nil || !strings.Contains(string(text), from) {
				o.t.Fatalf("no %q in the settings: %v", from, err)
			}
			write(o.t, o.conf, strings.Replace(string(text), from, to, 1))
		}
	}
	const foreign = "the copy of NetBox on disk is of no use: the copy is of another NetBox or of other settings; NetBox: as it is now"
	for name, c := range map[string]struct {
		change func(*office)
		want   []string
	}{
		"as the server left it": {func(*office) {}, []string{"by the copy on disk, ", "state/netbox.snapshot"}},
		"the first is damaged":  {damage, []string{"by the copy on disk, ", "cache/netbox.snapshot", "the first copy, ", "is of no use"}},
		"another URL": {func(o *office) {
			settings("url: "+o.netbox.URL(), "url: "+strings.Replace(o.netbox.URL(), "127.0.0.1", "localhost", 1))(o)
		}, []string{foreign}},
		"the same URL, otherwise": {func(o *office) { settings("url: "+o.netbox.URL(), "url: "+o.netbox.URL()+"/api/")(o) }, []string{"by the copy on disk, ", "state/netbox.snapshot"}},
		"another field":           {settings("vrf: lab", "vrf: lab\n  pxe: {redeploy_field: again}"), []string{foreign}},
		"the store is lost": {func(o *office) {
			if err := os.RemoveAll(filepath.Join(filepath.Dir(o.conf), "state")); err != nil {
				o.t.Fatal(err)
			}
		}, []string{"cache/netbox.snapshot", "none are stored in", "those of the second copy, ", "cache/leases.json, count"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			settings("path: state", "path: state\n    copy: cache")(o)
			o.restart("NetBox read")
			o.acquire(mac(7))
			before, _ := o.explains(mac(7))
			o.stop()
			c.change(o)
			after, restsOn := o.explains(mac(7))
			for _, want := range c.want {
				if !strings.Contains(restsOn, want) {
					t.Errorf("it rests on %s; want %s", restsOn, want)
				}
			}
			if after.Address != before.Address || after.Reason != before.Reason {
				t.Errorf("the files say %+v, the server said %+v", after, before)
			}
		})
	}
}
