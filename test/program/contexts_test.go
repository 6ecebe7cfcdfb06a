package program

import (
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/relay"
)

// CTX-1, CTX-4, CTX-5, CTX-7, H-2, N-21: an edit of a context, or of the tags of a
// prefix, is in the answers once NetBox was polled. Nothing but the tag assigns the
// context to the prefix, and check says so as long as none carries it.
func TestAnEditOfAContextReachesTheNextAnswer(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	tag := o.netbox.Add(t, "extras/tags", map[string]any{"name": "Guests", "slug": "guests"})
	data := func(keys map[string]any) map[string]any {
		return map[string]any{"data": map[string]any{"pydhcp_configuration": keys}}
	}
	context := data(map[string]any{"lease_time": "20m", "lease_max": "20m"})
	context["name"], context["weight"], context["is_active"], context["tags"] = "guests", 1500, true, []any{"guests"}
	rule := o.netbox.Add(t, "extras/config-contexts", context)
	prefix := o.seeded.ID(t, "ipam/prefixes", "lab 10.77.0.0/20")
	guest := mac(30)
	expect := func(when string, want time.Duration) {
		t.Helper()
		o.polled()
		got, err := o.agent.Acquire(guest)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if time := got.IPAddressLeaseTime(0); time != want {
			t.Errorf("%s: a lease of %s, want %s", when, time, want)
		}
	}
	expect("without the tag", time.Hour)
	if out, code := o.check(); code != 0 || !strings.Contains(out, "config context guests") || !strings.Contains(out, "it applies to no client: no prefix there carries its tag guests") {
		t.Errorf("check: exit code %d\n%s", code, out)
	}
	o.netbox.Edit(t, "ipam/prefixes", prefix, map[string]any{"tags": []any{tag}})
	expect("with the tag", 20*time.Minute)
	if out, code := o.check(); code != 0 || strings.Contains(out, "config context") {
		t.Errorf("check with the tag: exit code %d\n%s", code, out)
	}
	o.netbox.Edit(t, "extras/config-contexts", rule, data(map[string]any{"lease_time": 90}))
	expect("once the context says something else", 90*time.Second)

	o.netbox.Edit(t, "extras/config-contexts", rule, data(map[string]any{"serve_clients": false}))
	o.polled()
	if got, err := o.agent.Acquire(mac(31)); !errors.Is(err, relay.ErrSilence) {
		t.Errorf("a new client got %v, %v, want silence", got, err)
	}
	for _, kind := range o.renews(mac(0), o.served[mac(0).String()]) {
		if kind != dhcpv4.MessageTypeAck {
			t.Errorf("a running lease: %s, want an ACK", kind)
		}
	}
	if _, err := o.agent.Acquire(hostMAC(1)); err != nil {
		t.Errorf("a host that NetBox knows: %v", err)
	}
	out, stderr, code := run(t, "unserved", "--conf", o.conf)
	if line := strings.ToUpper(mac(31).String()) + "  clients_not_served  prefix 10.77.0.0/20"; code != 0 || !strings.Contains(out, line) || !strings.Contains(out, "1 client\n") {
		t.Errorf("unserved: exit code %d\n%s%s", code, out, stderr)
	}
}

// N-20, N-21: only the prefix with the tag is served, and what is not is listed.
func TestOnlyOneTaggedNetworkIsTried(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.netbox.Edit(t, "ipam/prefixes", o.seeded.ID(t, "ipam/prefixes", "lab 10.77.0.0/20"), map[string]any{
		"tags": []any{o.netbox.Add(t, "extras/tags", map[string]any{"name": "Pilot", "slug": "pilot"})}})
	o.stop()
	text, err := os.ReadFile(o.conf)
	if err != nil {
		t.Fatal(err)
	}
	write(t, o.conf, strings.Replace(string(text), "network: {", "network: {serve: tagged, serve_tag: Pilot, ", 1))
	o.start("NetBox read")
	o.allAreServed("with the tag")
	o.netbox.Edit(t, "ipam/prefixes", o.seeded.ID(t, "ipam/prefixes", "lab 10.77.0.0/20"), map[string]any{"tags": []any{}})
	o.polled()
	for _, client := range []net.HardwareAddr{hostMAC(0), mac(0), mac(40)} {
		for _, kind := range o.renews(client, net.IPv4(10, 77, 0, 99)) {
			if kind != dhcpv4.MessageTypeNone {
				t.Errorf("without the tag %s gets %s, want silence", client, kind)
			}
		}
	}
	out, stderr, code := run(t, "unserved", "--conf", o.conf)
	if code != 0 || strings.Count(out, "not_served") != 3 {
		t.Errorf("unserved: exit code %d\n%s%s", code, out, stderr)
	}
}
