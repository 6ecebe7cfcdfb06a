package decide

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// spansText writes exclusions of 10.8.4.0/24 as people would: "30-39 60-60".
func spansText(list []windhcp.Exclusion) string {
	var parts []string
	for _, x := range list {
		parts = append(parts, fmt.Sprintf("%d-%d", x.Start.As4()[3], x.End.As4()[3]))
	}
	return strings.Join(parts, " ")
}

// spansOf reads what spansText writes.
func spansOf(t *testing.T, text string) (list []windhcp.Exclusion) {
	t.Helper()
	for part := range strings.FieldsSeq(text) {
		var a, b byte
		if _, err := fmt.Sscanf(part, "%d-%d", &a, &b); err != nil {
			t.Fatal(err)
		}
		list = append(list, windhcp.Exclusion{Start: netip.AddrFrom4([4]byte{10, 8, 4, a}), End: netip.AddrFrom4([4]byte{10, 8, 4, b})})
	}
	return list
}

func exclusionsField(list []windhcp.Exclusion) json.RawMessage {
	var out []exclusionJSON
	for _, x := range list {
		out = append(out, exclusionJSON(x))
	}
	return document(out)
}

func (l *lab) recordedSpans() string {
	l.Helper()
	list, err := exclusionsOf(l.w.nb.Ranges[0].Exclusions)
	if err != nil {
		l.Fatal(err)
	}
	return spansText(list)
}

// rule 5.6: three ways, where NetBox is the truth for scopes. base is what both
// agreed on; then each side changes; then one run, and another hours later.
func TestExclusionsAreComparedThreeWays(t *testing.T) {
	for _, c := range []struct {
		name                 string
		base, netbox, server string
		wantNetBox           string // after the first run
		wantServer           string
		later                string // NetBox's and the server's hours later, if not the same
		level                plan.Level
		note                 string
	}{
		{"nothing changed", "30-39 50-59", "30-39 50-59", "30-39 50-59", "30-39 50-59", "30-39 50-59", "", "", ""},
		{"one more in NetBox", "30-39", "30-39 50-59", "30-39", "30-39 50-59", "30-39 50-59", "", "", ""},
		{"one more on the server", "30-39", "30-39", "30-39 50-59", "30-39 50-59", "30-39 50-59", "", "", ""},
		{"one more on each side", "30-39", "30-39 70-79", "30-39 50-59", "30-39 50-59 70-79", "30-39 50-59 70-79", "", "", ""},
		{"one less in NetBox", "30-39 50-59", "30-39", "30-39 50-59", "30-39", "30-39", "", "", ""},
		{"one less on the server", "30-39 50-59", "30-39 50-59", "30-39", "30-39", "30-39", "", "", ""},
		{"a larger one in NetBox", "30-39 50-59", "30-45 50-59", "30-39 50-59", "30-45 50-59", "30-45 50-59", "", "", ""},
		{"a larger one on the server", "30-39 50-59", "30-39 50-59", "30-45 50-59", "30-45 50-59", "30-45 50-59", "", "", ""},
		{"another one on each side that overlap", "50-59", "30-39 50-59", "35-45 50-59", "30-39 50-59", "35-45 50-59", "", plan.Conflict, "both are new"},
		{"changed on both sides", "30-39 50-59", "30-41 50-59", "30-45 50-59", "30-41 50-59", "30-45 50-59", "", plan.Conflict, "both are new"},
		{"none any more in NetBox", "30-39", "", "30-39", "", "30-39", "", plan.Warning, "by hand"},
		{"none any more in NetBox, of several", "30-39 50-59 70-79", "", "30-39 50-59 70-79", "", "30-39 50-59 70-79", "", plan.Warning, "3 exclusions are gone from NetBox"},
		{"none any more on the server", "30-39 50-59", "30-39 50-59", "", "30-39 50-59", "", "|", plan.Info, "lists no exclusion"},
		{"none any more on the server, and one more in NetBox", "30-39", "30-39 50-59", "", "30-39 50-59", "", "50-59|50-59", plan.Info, "lists no exclusion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.scope.exclusions = spansOf(t, c.base)
			l.run()
			l.p.PushScopeInfo = true
			l.run()
			if c.netbox != c.base {
				l.w.nb.Ranges[0].Exclusions = exclusionsField(spansOf(t, c.netbox))
			}
			l.scope.exclusions = spansOf(t, c.server)
			check := func(netbox, server string) {
				t.Helper()
				if got := spansText(union(nil, l.scope.exclusions)); l.recordedSpans() != netbox || got != server {
					t.Errorf("NetBox has %q, want %q; the server has %q, want %q", l.recordedSpans(), netbox, got, server)
				}
			}
			p := l.run()
			check(c.wantNetBox, c.wantServer)
			if c.note != "" {
				wantNote(t, p, c.level, "5.6", c.note)
			}
			netbox, server := c.wantNetBox, c.wantServer
			if c.later != "" {
				netbox, server, _ = strings.Cut(c.later, "|")
			}
			for range 2 {
				l.w.hoursLater(2)
				p = l.run()
				check(netbox, server)
			}
			for _, n := range p.Notes {
				if n.Rule == "5.6" && n.Level != plan.Info {
					t.Errorf("told again: %s", n.Text)
				}
			}
		})
	}
}

// rule 5.6: while NetBox follows the server an empty list, or no router, is not
// believed from one read.
func TestAnEmptyListIsReadTwice(t *testing.T) {
	l := newLab(t)
	l.scope.exclusions, l.scope.Router = spansOf(t, "30-39 50-59"), netip.MustParseAddr("10.8.4.1")
	l.run()
	l.scope.exclusions, l.scope.Router = nil, netip.Addr{}
	check := func(spans, router string) {
		t.Helper()
		l.run()
		if l.recordedSpans() != spans || l.w.nb.Ranges[0].Router != router {
			t.Errorf("recorded %q and router %q, want %q and %q", l.recordedSpans(), l.w.nb.Ranges[0].Router, spans, router)
		}
	}
	check("30-39 50-59", "10.8.4.1")
	l.scope.exclusions, l.scope.Router = spansOf(t, "30-39 50-59"), netip.MustParseAddr("10.8.4.1")
	l.w.hoursLater(2)
	check("30-39 50-59", "10.8.4.1")
	l.scope.exclusions, l.scope.Router = nil, netip.Addr{} // waiting begins anew
	check("30-39 50-59", "10.8.4.1")
	l.w.hoursLater(1)
	check("", "")
}

// rule 5.6: the limits of guard c hold for exclusions on servers.
func TestManyExclusionsAreHeldBack(t *testing.T) {
	l := newLab(t)
	l.p.MaxDeleteCount = 3
	l.scope.exclusions = spansOf(t, "21-21 23-23 25-25 27-27 29-29 31-31")
	l.run()
	l.p.PushScopeInfo = true
	l.run()
	l.w.nb.Ranges[0].Exclusions = exclusionsField(spansOf(t, "21-21 24-30"))
	p := l.run()
	wantSteps(t, p, onServers)
	wantNote(t, p, plan.Guard, "5.6", "would delete 5 of 6 exclusions here")
	l.p.AllowDeletes = true
	l.run()
	if got := spansText(union(nil, l.scope.exclusions)); got != "21-21 24-30" {
		t.Errorf("the server has %s", got)
	}
}

// manyExclusions is a lab with scopes on servers, by turns, and exclusions in each, on
// which both sides agree. Then NetBox lacks the first ones of each.
func manyExclusions(t *testing.T, servers, scopes, each, gone int) *lab {
	l := &lab{T: t, w: newWorld()}
	var hosts []string
	for i := range servers {
		hosts = append(hosts, fmt.Sprintf("dh%d.corp.example", i+1))
	}
	l.p = defaults(hosts...)
	at := func(i, last int) netip.Addr { return netip.AddrFrom4([4]byte{10, 9, byte(i), byte(last)}) }
	for i := range scopes {
		scope := l.w.server(hosts[i%servers]).addScope(at(i, 0).String()+"/24", at(i, 20).String(), at(i, 250).String())
		for j := range each {
			scope.exclusions = append(scope.exclusions, windhcp.Exclusion{Start: at(i, 30+2*j), End: at(i, 30+2*j)})
		}
	}
	l.importAll()
	l.p.PushScopeInfo = true
	l.run()
	for i := range l.w.nb.Ranges {
		list, err := exclusionsOf(l.w.nb.Ranges[i].Exclusions)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > gone {
			l.w.nb.Ranges[i].Exclusions = exclusionsField(list[gone:])
		}
	}
	return l
}

func dropsExclusions(p *plan.Plan) (n int) {
	for _, s := range p.Steps {
		if s.Kind == plan.WindowsExclusion && s.Action == state.Delete {
			n++
		}
	}
	return n
}

// rules 5.6 and 3.7 guard c: exclusions count for their server and the run too, and
// what was held back once goes by a person's word only, whatever is made meanwhile.
func TestManyExclusionsOfAServerOrARunAreHeldBack(t *testing.T) {
	for _, c := range []struct {
		name                        string
		servers, scopes, each, gone int
		note                        string
	}{
		{"a scope", 1, 1, 6, 5, "would delete 5 of 6 exclusions here"},
		{"a server", 1, 2, 3, 2, "4 of 6 on dh1.corp.example"},
		{"the run", 4, 4, 3, 2, "8 of 12 in this run"},
		{"no more than half of each", 4, 4, 4, 2, ""},
		{"no more than three", 1, 1, 4, 3, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := manyExclusions(t, c.servers, c.scopes, c.each, c.gone)
			p := l.run()
			if c.note == "" {
				if dropsExclusions(p) != c.gone*c.scopes {
					t.Errorf("not deleted\n%s", describe(p))
				}
				return
			}
			wantSteps(t, p, onServers)
			wantNote(t, p, plan.Guard, "5.6", c.note)
			for _, m := range l.w.servers {
				for _, scope := range m.scopes {
					for last := range 40 {
						addr := netip.AddrFrom4([4]byte{10, 9, scope.Subnet.Addr().As4()[2], byte(150 + 2*last)})
						scope.exclusions = append(scope.exclusions, windhcp.Exclusion{Start: addr, End: addr})
					}
				}
			}
			for range 3 {
				p := l.run()
				wantSteps(t, p, onServers)
				wantNote(t, p, plan.Guard, "5.6", "none is deleted here")
				l.w.hoursLater(2)
			}
			l.p.AllowDeletes = true
			if p := l.run(); dropsExclusions(p) != c.gone*c.scopes {
				t.Errorf("not deleted after --allow-deletes\n%s", describe(p))
			}
		})
	}
}

// rule 5.6: exclusions that both have again were not lost, and are not held back later.
func TestHeldExclusionsThatAreRecordedAgainAreHeldNoMore(t *testing.T) {
	l := manyExclusions(t, 1, 1, 6, 5)
	less := l.w.nb.Ranges[0].Exclusions
	wantSteps(t, l.run(), onServers)
	all := l.w.server(dh1).scopes[netip.MustParseAddr("10.9.0.0")].exclusions
	l.w.nb.Ranges[0].Exclusions = exclusionsField(all)
	l.run()
	l.w.nb.Ranges[0].Exclusions = exclusionsField(all[1:])
	if p := l.run(); dropsExclusions(p) != 1 {
		t.Errorf("one of six is not deleted\n%s", describe(p))
	}
	l.w.nb.Ranges[0].Exclusions = less
	wantSteps(t, l.run(), onServers)
}

// rules 5.6 and 3.7 guard c: what goes from a partner too counts for that server.
func TestExclusionsOfAPartnerCountForIt(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	l.scope.exclusions = spansOf(t, "30-30 32-32 34-34 36-36 38-38 40-40 42-42 44-44 46-46 48-48 50-50 52-52")
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	partner := l.w.server(dh2).scopes[l.scope.ID()]
	partner.exclusions = spansOf(t, "30-30 32-32 34-34 36-36 44-44")
	l.importAll()
	l.p.PushScopeInfo, l.p.PushToPartner = true, true
	l.run()
	partner.exclusions = spansOf(t, "30-30 32-32 34-34 36-36 44-44")
	l.w.nb.Ranges[0].Exclusions = exclusionsField(spansOf(t, "38-38 40-40 42-42 44-44 46-46 48-48 50-50 52-52"))
	p := l.run()
	wantNote(t, p, plan.Guard, "5.6", "4 of 5 on dh2.corp.example")
	if dropsExclusions(p) > 0 {
		t.Errorf("deleted\n%s", describe(p))
	}
}

// rule 5.6: the router, three ways.
func TestTheRouterIsComparedThreeWays(t *testing.T) {
	const was, one, two = "10.8.4.1", "10.8.4.2", "10.8.4.3"
	for _, c := range []struct {
		name                               string
		base, netbox, server               string
		wantNetBox, wantServer, afterwards string
		note                               string
	}{
		{"nothing changed", was, was, was, was, was, was, ""},
		{"changed in NetBox", was, one, was, one, one, one, ""},
		{"changed on the server", was, was, one, one, one, one, ""},
		{"changed on both sides alike", was, one, one, one, one, one, ""},
		{"changed on both sides", was, one, two, one, two, one, "changed on both sides"},
		{"blanked in NetBox", was, "", was, "", was, "", "by hand only"},
		{"blanked on the server: not believed at once", was, was, "", was, "", "", "tells no router"},
		{"a first one in NetBox", "", one, "", one, one, one, ""},
		{"a first one on the server", "", "", one, one, one, one, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			set := func(s string) { l.scope.Router, _ = netip.ParseAddr(s) }
			set(c.base)
			l.run()
			l.p.PushScopeInfo = true
			l.run()
			l.w.nb.Ranges[0].Router = c.netbox
			set(c.server)
			p := l.run()
			if got := l.w.nb.Ranges[0].Router; got != c.wantNetBox || routerText(l.scope.Scope) != c.wantServer {
				t.Errorf("NetBox has %q, want %q; the server has %q, want %q", got, c.wantNetBox, routerText(l.scope.Scope), c.wantServer)
			}
			if c.note != "" && !strings.Contains(describe(p), c.note) {
				t.Errorf("not told: %s\n%s", c.note, describe(p))
			}
			l.w.hoursLater(2)
			l.run()
			if got := l.w.nb.Ranges[0].Router; got != c.afterwards {
				t.Errorf("two hours later NetBox has %q, want %q", got, c.afterwards)
			}
		})
	}
	t.Run("without a memory the server wins, and says over what", func(t *testing.T) {
		l := newLab(t)
		l.p.PushScopeInfo = true
		l.w.memory = plan.Memory{}
		l.w.nb.Ranges[0].Router = one
		set := netip.MustParseAddr(two)
		l.scope.Router = set
		p := l.run()
		wantSteps(t, p, onServers)
		wantNote(t, p, plan.Warning, "5.6", "router 10.8.4.2 of NetBox gives way to 10.8.4.3")
	})
}

// rule 5.6: an exclusion that only the partner has left stays there, and a new one that
// overlaps it is not made there (rapid seed 1143).
func TestAnExclusionOfThePartnerAloneIsNotOverlapped(t *testing.T) {
	l := newLab(t)
	l.p = defaults(dh1, dh2)
	l.scope.exclusions = spansOf(t, "30-39 60-60")
	l.w.pair("east", dh1, dh2, "10.8.4.0")
	l.importAll()
	l.p.PushScopeInfo, l.p.PushToPartner = true, true
	l.run()
	l.scope.exclusions = spansOf(t, "60-60")
	l.w.nb.Ranges[0].Exclusions = exclusionsField(spansOf(t, "30-30 30-39 60-60"))
	l.run()
	partner := l.w.server(dh2).scopes[l.scope.ID()]
	if got, there := spansText(union(nil, l.scope.exclusions)), spansText(union(nil, partner.exclusions)); got != "30-30 60-60" || there != "30-39 60-60" || l.recordedSpans() != "30-30 60-60" {
		t.Errorf("the server has %s, its partner %s, NetBox %s", got, there, l.recordedSpans())
	}
}

// rules 3.7 guard c and 5.6: exclusions that a server lacks all at once go after two
// reads, by both clocks, in a scope, on a server and in a run.
func TestManyMissingExclusionsAreReadTwice(t *testing.T) {
	const all, few, fewer = "30-31 40-41 50-51 60-61 70-71", "30-31", "30-31 40-41"
	for _, push := range []bool{false, true} {
		agreed := func(t *testing.T) *lab {
			l := newLab(t)
			l.scope.exclusions = spansOf(t, all)
			l.run()
			l.p.PushScopeInfo = push
			l.run()
			return l
		}
		check := func(l *lab, spans string) {
			l.Helper()
			if p := l.run(); l.recordedSpans() != spans {
				l.Errorf("push %v: recorded %q, want %q:\n%s", push, l.recordedSpans(), spans, describe(p))
			}
		}
		t.Run("3.7 guard c: within the limits at once", func(t *testing.T) {
			l := agreed(t)
			l.scope.exclusions = spansOf(t, fewer)
			check(l, fewer)
		})
		t.Run("3.7 guard c: above the limits after an hour", func(t *testing.T) {
			l := agreed(t)
			l.scope.exclusions = spansOf(t, few)
			wantNote(t, l.run(), plan.Info, "5.6", "lacks 4 of 5 recorded exclusions")
			check(l, all)
			l.w.hoursLater(1)
			check(l, few)
		})
		t.Run("3.7 guard c: above the limits in one scope of a server that has many", func(t *testing.T) {
			l := agreed(t)
			l.p.PushScopeInfo = false
			more := l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
			l.w.addPrefix("10.8.6.0/24", 0)
			for i := byte(30); i < 60; i += 2 {
				at := netip.AddrFrom4([4]byte{10, 8, 6, i})
				more.exclusions = append(more.exclusions, windhcp.Exclusion{Start: at, End: at})
			}
			l.importAll()
			l.run()
			l.p.PushScopeInfo = push
			l.scope.exclusions = spansOf(t, few)
			check(l, all)
		})
		t.Run("3.7 guard c: new ones do not make the loss small", func(t *testing.T) {
			l := agreed(t)
			l.scope.exclusions = spansOf(t, few)
			l.run()
			l.scope.exclusions = spansOf(t, few+" 100-101 110-111 120-121 130-131 140-141 150-151")
			l.run()
			l.run()
			if !strings.Contains(l.recordedSpans(), "70-71") {
				t.Errorf("recorded %s", l.recordedSpans())
			}
		})
		t.Run("3.7 guard c: listed again in between, waiting begins anew", func(t *testing.T) {
			l := agreed(t)
			l.scope.exclusions = spansOf(t, few)
			check(l, all)
			l.w.now = l.w.now.Add(50 * time.Minute)
			l.scope.exclusions = spansOf(t, "30-31 40-41 50-51 60-61")
			check(l, all)
			l.w.now = l.w.now.Add(20 * time.Minute)
			l.scope.exclusions = spansOf(t, few)
			check(l, all)
			l.w.hoursLater(1)
			check(l, few)
		})
		for name, jump := range map[string]func(*lab){
			"3.7 guard g: the mirror's clock jumps ahead": func(l *lab) { l.w.fast = 365 * 24 * time.Hour },
			"3.7 guard g: the other side's clock does":    func(l *lab) { l.w.fast, l.w.now = time.Minute-365*24*time.Hour, l.w.now.AddDate(1, 0, 0) },
		} {
			t.Run(name, func(t *testing.T) {
				l := agreed(t)
				l.scope.exclusions = spansOf(t, few)
				check(l, all)
				jump(l)
				check(l, all)
			})
		}
		t.Run("3.7 guard c: a word of the operator", func(t *testing.T) {
			l := agreed(t)
			l.p.AllowDeletes = true
			l.scope.exclusions = spansOf(t, few)
			check(l, few)
		})
		t.Run("3.7 guard c: two of three on each of several scopes", func(t *testing.T) {
			l := agreed(t)
			l.p.PushScopeInfo = false
			more := l.w.server(dh1).addScope("10.8.6.0/24", "10.8.6.20", "10.8.6.250")
			l.w.addPrefix("10.8.6.0/24", 0)
			more.exclusions = []windhcp.Exclusion{span("10.8.6.30", "10.8.6.31"), span("10.8.6.40", "10.8.6.41"), span("10.8.6.50", "10.8.6.51")}
			l.scope.exclusions = spansOf(t, "30-31 40-41 50-51")
			l.importAll()
			l.runLater()
			l.run()
			l.p.PushScopeInfo = push
			l.run()
			l.scope.exclusions, more.exclusions = spansOf(t, few), more.exclusions[:1]
			check(l, "30-31 40-41 50-51")
			l.w.hoursLater(1)
			check(l, few)
		})
	}
}

// rule 5.6: an empty list, or no router, is counted by both clocks.
func TestAnEmptyListIsReadTwiceByBothClocks(t *testing.T) {
	for name, jump := range map[string]func(*lab){
		"5.6: the mirror's clock jumps ahead": func(l *lab) { l.w.fast = 365 * 24 * time.Hour },
		"5.6: the other side's clock does":    func(l *lab) { l.w.fast, l.w.now = time.Minute-365*24*time.Hour, l.w.now.AddDate(1, 0, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t)
			l.scope.exclusions, l.scope.Router = spansOf(t, "30-39"), netip.MustParseAddr("10.8.4.1")
			l.run()
			l.scope.exclusions, l.scope.Router = nil, netip.Addr{}
			l.run()
			jump(l)
			l.run()
			if l.recordedSpans() != "30-39" || l.w.nb.Ranges[0].Router != "10.8.4.1" {
				t.Errorf("recorded %q and router %q", l.recordedSpans(), l.w.nb.Ranges[0].Router)
			}
		})
	}
}
