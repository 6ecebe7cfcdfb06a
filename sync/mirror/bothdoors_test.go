package mirror_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/netboxtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/standins/sshtest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/mirror/mirrortest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// doorOf gives the lines of each server's settings that lead to it by some door.
type doorOf func(*mirrortest.Lab) map[string]string

func overHTTP(*mirrortest.Lab) map[string]string { return nil }

func overSSH(l *mirrortest.Lab) map[string]string { return l.OverSSH(sshtest.New) }

func overSSHD(l *mirrortest.Lab) map[string]string { return l.OverSSH(sshtest.Real) }

// rules 13 and 13.9: the same servers give the same NetBox, and the same edits in
// NetBox the same servers, through each door.
func TestTheSameServersGiveTheSameNetBoxThroughBothDoors(t *testing.T) {
	sameThroughBothDoors(t, overSSH)
}

// The same with Debian's sshd.
func TestTheSameServersGiveTheSameNetBoxOnARealSSHD(t *testing.T) { sameThroughBothDoors(t, overSSHD) }

func sameThroughBothDoors(t *testing.T, ssh doorOf) {
	want := dialectStory(t, mirrortest.StandIn(t, netboxtest.Config{}), psutest.Own, overHTTP)
	got := dialectStory(t, mirrortest.StandIn(t, netboxtest.Config{}), psutest.Own, ssh)
	for i, chapter := range []string{"imported", "followed", "pushed", "servers"} {
		if diff := cmp.Diff(want[i], got[i]); diff != "" {
			t.Errorf("%s (-psu +ssh):\n%s", chapter, diff)
		}
	}
}

// rule 13.9: changing the door is the whole move. The plan is the same byte for byte, but
// for the time it was made, and a run through the other door writes nothing on either side.
func TestChangingTheDoorWritesNothing(t *testing.T) { changingTheDoor(t, overSSH) }

// The same with Debian's sshd.
func TestChangingTheDoorWritesNothingOnARealSSHD(t *testing.T) { changingTheDoor(t, overSSHD) }

func changingTheDoor(t *testing.T, ssh doorOf) {
	l := mirrortest.New(t, mirrortest.StandIn(t, netboxtest.Config{}), netboxtest.World{})
	dh1, dh2 := l.Add(psutest.Example("dh1.corp.example")), l.Add(psutest.World{})
	psutest.Pair(dh1, dh2, psutest.Failover{Name: "east-pair", Mode: "HotStandby", Scopes: []string{"10.8.4.0"}, MaxClientLeadTime: 3600})
	for _, s := range l.Servers {
		s.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	}
	way := ssh(l)
	byHTTP, bySSH := l.Open(everything, nil), l.OpenUnprepared(everything, way)
	planned := func(mode plan.Mode, mirrors ...*mirror.Mirror) {
		t.Helper()
		var first string
		for i, m := range mirrors {
			p, err := m.Plan(t.Context(), mirror.Options{Mode: mode})
			if err != nil {
				t.Fatal(err)
			}
			text, err := p.JSON()
			if err != nil || p.Empty() {
				t.Fatalf("%v, empty %t\n%s", err, p.Empty(), text)
			}
			plain := regexp.MustCompile(`"made": "[^"]*"`).ReplaceAllString(string(text), "")
			if i == 0 {
				first = plain
			}
			if diff := cmp.Diff(first, plain); diff != "" {
				t.Errorf("%s (-psu +ssh):\n%s", mode, diff)
			}
		}
	}
	for _, mode := range []plan.Mode{plan.Import, plan.Sync} {
		planned(mode, byHTTP, bySSH)
		run(t, byHTTP, mirror.Options{Mode: mode})
	}
	run(t, byHTTP, mirror.Options{}) // what was made is read back
	for _, m := range []*mirror.Mirror{bySSH, byHTTP, bySSH} {
		l.Front.Forget()
		dh1.ForgetRequests()
		dh2.ForgetRequests()
		r := run(t, m, mirror.Options{})
		if writes := l.Front.Writes(); len(writes) > 0 || !r.Plan.Empty() || len(dh1.Writes())+len(dh2.Writes()) > 0 {
			t.Errorf("it writes %v to NetBox, %v and %v to the servers\n%v", writes, dh1.Writes(), dh2.Writes(), r.Plan.Steps)
		}
		if len(dh1.Requests()) == 0 || len(dh2.Requests()) == 0 {
			t.Error("a server was not asked")
		}
	}

	// With dry_run the plan is that of a run without it, at each door.
	l.Patch("ipam/ip-addresses", l.Address("10.8.4.60")["id"], map[string]any{"dns_name": "mfp-9"})
	dry := everything + "dry_run: true\n"
	planned(plan.Sync, byHTTP, bySSH, l.OpenUnprepared(dry, nil), l.OpenUnprepared(dry, way))
}
