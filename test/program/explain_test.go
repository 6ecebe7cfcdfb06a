package program

import (
	"encoding/json"
	"errors"
	"net"
	"os/exec"
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
