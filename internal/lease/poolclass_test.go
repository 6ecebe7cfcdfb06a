package lease

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/option"
)

const (
	tagVoice  int64 = 31
	tagCamera int64 = 32
)

// classes is a config context for all prefixes whose classes name pools.
func classes(w *world) {
	w.o.Tags[tagVoice] = &ipam.Tag{ID: tagVoice, Name: "Voice pool", Slug: "voice-pool"}
	w.o.Tags[tagCamera] = &ipam.Tag{ID: tagCamera, Name: "Cameras", Slug: "cameras"}
	w.o.Contexts = append(w.o.Contexts, &ipam.ConfigContext{ID: 1, Name: "classes", Weight: 1000, Data: []byte(
		`{"vendor_classes": {"phone": {"pool_tag": "voice-pool"}, "Camera": {"pool_tag": "CAMERAS"}, "wrong": {"pool_tag": "none"}}}`)})
}

// withTag gives all addresses and ranges that hold one of hosts a tag more.
func withTag(tag int64, hosts ...string) part {
	return func(w *world) {
		for _, host := range hosts {
			h := netip.MustParseAddr(host)
			for _, a := range w.o.Addresses {
				if a.Address.Addr() == h {
					a.Tags = append(a.Tags, tag)
				}
			}
			for _, r := range w.o.Ranges {
				if r.Start.Compare(h) <= 0 && h.Compare(r.End) <= 0 {
					r.Tags = append(r.Tags, tag)
				}
			}
		}
	}
}

// of makes a message one of a client of a class.
func of(class string, m ClientMessage) ClientMessage {
	m.Sender = option.Client{VendorClass: []byte(class)}
	return m
}

// OPT-14: clients of a class get new addresses of its pools and of no others, and
// other clients none of those; what is a client's own stays so.
func TestAClassHasPoolsOfItsOwn(t *testing.T) {
	for name, parts := range map[string][]part{
		"tagged addresses": {prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.13/24"), dynamic("10.0.0.20/24"),
			withTag(tagVoice, "10.0.0.11", "10.0.0.13"), withTag(tagCamera, "10.0.0.10", "10.0.0.13"), classes},
		"ranges": {prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.10/24"), dynamic("10.0.0.11-10.0.0.11/24"),
			dynamic("10.0.0.12-10.0.0.12/24"), dynamic("10.0.0.13-10.0.0.13/24"), dynamic("10.0.0.20-10.0.0.20/24"),
			withTag(tagVoice, "10.0.0.11", "10.0.0.13"), withTag(tagCamera, "10.0.0.10", "10.0.0.13"), classes},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, newMemStore(), snapshot(t, worldOptions, parts...))
			r.expect(of("A phone", discover(alice)), "OFFER D-1 10.0.0.11/24 new")
			r.expect(selecting(alice, "10.0.0.11"), "ACK D-4 10.0.0.11/24 new") // it need not say its class again
			r.expect(discover(bob), "OFFER D-1 10.0.0.12/24 new")
			r.expect(selecting(bob, "10.0.0.12"), "ACK D-4 10.0.0.12/24 new")
			r.expect(of("Camera 7", discover(nth(1))), "OFFER D-1 10.0.0.10/24 new")
			r.expect(selecting(nth(1), "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
			r.expect(of("wrong", discover(carol)), "OFFER D-1 10.0.0.20/24 new")
			r.expect(selecting(carol, "10.0.0.20"), "ACK D-4 10.0.0.20/24 new")
			r.expect(discover(nth(2)), "silent D-2 pool_empty")
			r.expect(of("phone", discover(nth(3))), "OFFER D-1 10.0.0.13/24 new")
			r.expect(selecting(nth(3), "10.0.0.13"), "ACK D-4 10.0.0.13/24 new")
			r.expect(of("phone", discover(nth(4))), "silent D-2 pool_empty")

			// What runs stays, whatever the client says of itself now.
			r.expect(of("phone", discover(bob)), "OFFER D-1 10.0.0.12/24 bound")
			r.expect(of("phone", renewing(bob, "10.0.0.12")), "ACK D-12 10.0.0.12/24 bound")
			r.expect(discover(alice), "OFFER D-1 10.0.0.11/24 bound")
			// What has ended gives way to the class.
			r.now = r.now.Add(3 * time.Hour)
			r.Confirm(r.now, 0)
			r.expect(of("phone", discover(bob)), "OFFER D-1 10.0.0.11/24 new")
		})
	}
}

// OPT-14, S-17: an address of a range stays in the pool of its class while NetBox has
// an object for it that was made for a lease, and after that lease.
func TestAnObjectThatWasMadeForALeaseLeavesNoPool(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), asRanges(), dynamic("10.0.0.10-10.0.0.10/24"), dynamic("10.0.0.11-10.0.0.12/24"),
		withTag(tagVoice, "10.0.0.11"), dynamic("10.0.0.11/24", made()), classes)
	r := newRig(t, newMemStore(bound("10.0.0.11", alice, -2*time.Hour)), s)
	r.expect(discover(bob), "OFFER D-1 10.0.0.10/24 new")
	r.expect(selecting(bob, "10.0.0.10"), "ACK D-4 10.0.0.10/24 new")
	r.expect(discover(carol), "silent D-2 pool_empty")
	r.expect(of("phone", discover(alice)), "OFFER D-1 10.0.0.11/24 bound")
	r.expect(of("phone", discover(nth(1))), "OFFER D-1 10.0.0.12/24 new")
	r.expect(selecting(nth(1), "10.0.0.12"), "ACK D-4 10.0.0.12/24 new")
	r.now = r.now.Add(5 * time.Minute) // the client did not accept the first one
	r.Confirm(r.now, 0)
	r.expect(of("phone", discover(nth(2))), "OFFER D-1 10.0.0.11/24 new")
}

// OPT-14: a wish, and an unanswered offer that gives way, are of the class's pools as
// well.
func TestAClassGetsNothingElse(t *testing.T) {
	s := snapshot(t, worldOptions, prefix("10.0.0.0/24"), dynamic("10.0.0.10-10.0.0.12/24"), withTag(tagVoice, "10.0.0.11"), classes)
	wish := func(m ClientMessage, addr string) ClientMessage {
		m.RequestedAddr = netip.MustParseAddr(addr)
		return m
	}
	r := newRig(t, newMemStore(), s)
	r.expect(of("phone", wish(discover(alice), "10.0.0.12")), "OFFER D-1 10.0.0.11/24 new")
	r.expect(wish(discover(bob), "10.0.0.11"), "OFFER D-1 10.0.0.10/24 new")
	r.expect(of("phone", discover(carol)), "OFFER D-1 10.0.0.11/24 new") // alice's offer gives way
	r.expect(discover(alice), "OFFER D-1 10.0.0.12/24 new")
	r.expect(discover(nth(1)), "OFFER D-1 10.0.0.10/24 new") // bob's, and not carol's
	r.expect(of("phone", discover(bob)), "OFFER D-1 10.0.0.11/24 new")

	trace := new(Trace)
	r.Rehearse(of("phone", discover(nth(2))), trace)
	if want := `the tag voice-pool, says config context "classes" (weight 1000), vendor_classes "phone" (rule OPT-14)`; !strings.Contains(trace.String(), want) {
		t.Errorf("%s lacks %q", trace, want)
	}
}

// OPT-14, P-18: a tag that NetBox lacks is reported, and does not count.
func TestAPoolTagThatNetBoxLacks(t *testing.T) {
	_, problems := ipam.Build(newWorld(prefix("10.0.0.0/24"), classes), worldOptions)
	if text := fmt.Sprint(problems); !strings.Contains(text, `pool_tag "none": NetBox has no such tag`) || strings.Contains(text, "voice-pool") {
		t.Errorf("%s", text)
	}
}
