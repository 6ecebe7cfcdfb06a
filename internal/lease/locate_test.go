package lease

import "testing"

// I-4, G-1: plugins without a lease of ours take the same machine and network
// for the client's as a decision does, also where a decision is not to answer.
func TestLocateKnowsTheMachineAndTheNetwork(t *testing.T) {
	for name, c := range map[string]struct {
		parts   []part
		machine string // "" for none
	}{
		"no interface has the MAC":      {lan(device("web1", port("eth0", string(bob)))), ""},
		"one interface without address": {lan(device("web1", port("eth0", string(web)))), "web1"},
		"two ports of one device":       {lan(device("web1", port("eth0", string(web)), port("eth1", string(web)))), "web1"},
		"two ports of one device, two addresses": {lan(device("web1",
			port("eth0", string(web), on("10.0.0.5/24")), port("eth1", string(web), on("10.0.0.6/24")))), "web1"},
		"a silent member of an aggregate": {lan(device("web1", port("bond0", string(bob)), member("bond0", "eth0", string(web)))), "web1"},
		"two devices":                     {lan(device("web1", port("eth0", string(web))), device("web2", port("eth0", string(web)))), ""},
		"two devices, one with an address here": {lan(
			device("web1", port("eth0", string(web), on("10.9.0.5/24"))), device("web2", port("eth0", string(web), on("10.0.0.5/24")))), "web2"},
		"two devices with an address each": {lan(
			device("web1", port("eth0", string(web), on("10.0.0.5/24"))), device("web2", port("eth0", string(web), on("10.0.0.6/24")))), ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := snapshot(t, worldOptions, c.parts...)
			network, machine := Locate(s, discover(web))
			if network == nil || network.Prefix.Prefix.String() != "10.0.0.0/24" {
				t.Fatalf("network %v", network)
			}
			if again := Identify(s, discover(web), network); again != machine {
				t.Errorf("Identify finds %v, Locate %v", again, machine)
			}
			if got := machine; (got == nil) != (c.machine == "") || got != nil && got.Name != c.machine {
				t.Errorf("machine %v, want %q", got, c.machine)
			}
		})
	}
	network, machine := Locate(snapshot(t, worldOptions, lan(device("web1", port("eth0", string(web))))...), discover(web, via("192.0.2.1")))
	if network != nil || machine == nil || machine.Name != "web1" {
		t.Errorf("behind a relay that is not in NetBox: network %v, machine %v", network, machine)
	}
}
