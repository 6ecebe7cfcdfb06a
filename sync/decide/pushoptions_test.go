package decide

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

// optionsField is options of a record, "6=10.1.1.1; 15=corp.example".
func optionsField(text string) json.RawMessage {
	var list []optionValue
	for part := range strings.SplitSeq(text, "; ") {
		code, value, ok := strings.Cut(part, "=")
		vendor := ""
		if name, rest, found := strings.Cut(code, ":"); found {
			vendor, code = name, rest
		}
		var n int
		if err := json.Unmarshal([]byte(code), &n); ok && err == nil {
			list = append(list, optionValue{n, vendor, value})
		}
	}
	return document(list)
}

// optionsShown is the opposite of optionsField.
func optionsShown(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var list []optionValue
	if err := unmarshal(raw, &list); err != nil {
		t.Fatal(err)
	}
	var parts []string
	for _, o := range list {
		head, err := json.Marshal(o.Code)
		if err != nil {
			t.Fatal(err)
		}
		name := string(head)
		if o.VendorClass != "" {
			name = o.VendorClass + ":" + name
		}
		parts = append(parts, name+"="+o.Value)
	}
	return strings.Join(parts, "; ")
}

// setOptions puts options on a scope: "6=10.1.1.1,10.1.1.2; 46=8".
func (s *wscope) setOptions(text string) {
	s.options = nil
	for part := range strings.SplitSeq(text, "; ") {
		code, value, ok := strings.Cut(part, "=")
		var n int
		if err := json.Unmarshal([]byte(code), &n); ok && err == nil {
			s.setOption(n, strings.Split(value, ","))
		}
	}
}

// showOptions is the opposite, by code.
func (s *wscope) showOptions() string {
	sorted := slices.SortedStableFunc(slices.Values(s.options), func(a, b windhcp.Option) int { return a.Code - b.Code })
	var list []optionValue
	for _, o := range sorted {
		list = append(list, optionValue{o.Code, o.VendorClass, strings.Join(o.Values, ",") + strings.Repeat("!", len(o.UserClass+o.Policy))})
	}
	var t testing.T
	return optionsShown(&t, document(list))
}

// rule 5.6: options of a scope, each three ways. Each side changes after both agreed;
// then one run, and another hours later, which tells nothing again.
func TestOptionsAreComparedThreeWays(t *testing.T) {
	const both = "6=10.1.1.1; 15=corp.example"
	policy := windhcp.Option{Code: 6, Type: "IPv4Address", Values: []string{"10.1.1.9"}, Policy: "p", ClassesTold: true}
	for _, c := range []struct {
		name                   string
		base, netbox, server   string
		edit                   func(*lab)
		wantNetBox, wantServer string
		note                   string
	}{
		{"nothing changed", both, both, both, nil, both, both, ""},
		{"one changed in NetBox", both, "6=10.1.1.7, 10.1.1.8; 15=corp.example", both, nil, "6=10.1.1.7, 10.1.1.8; 15=corp.example", "6=10.1.1.7,10.1.1.8; 15=corp.example", ""},
		{"one changed on Windows", both, both, "6=10.1.1.7; 15=corp.example", nil, "6=10.1.1.7; 15=corp.example", "6=10.1.1.7; 15=corp.example", ""},
		{"another one on each side", both, "6=10.1.1.7; 15=corp.example", "6=10.1.1.1; 15=lab.example", nil, "6=10.1.1.7; 15=lab.example", "6=10.1.1.7; 15=lab.example", ""},
		{"the same on both sides", both, "6=10.1.1.7; 15=lab.example", "6=10.1.1.8; 15=corp.example", nil, "6=10.1.1.7; 15=lab.example", "6=10.1.1.8; 15=lab.example", "option 6 was changed on both sides, to 10.1.1.7 in NetBox and to 10.1.1.8 on the server"},
		{"a new one in NetBox", both, "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", both, nil, "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", ""},
		{"a first one in NetBox", "", "6=10.1.1.1", "", nil, "6=10.1.1.1", "6=10.1.1.1", ""},
		{"a new one on Windows", both, both, "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", nil, "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", "6=10.1.1.1; 15=corp.example; 42=10.1.1.3", ""},
		{"gone from NetBox: by hand only", both, "15=corp.example", both, nil, "15=corp.example", both, "taken away by hand only"},
		{"all gone from NetBox", both, "", both, nil, "", both, "taken away by hand only"},
		{"gone from Windows", both, both, "15=corp.example", nil, "15=corp.example", "15=corp.example", ""},
		{"gone from Windows, and changed in NetBox", both, "6=10.1.1.7; 15=corp.example", "15=corp.example", nil, "6=10.1.1.7; 15=corp.example", "15=corp.example", "and to none on the server"},
		{"a byte, which Windows shows in hexadecimal", "46=1", "46=8", "46=1", nil, "46=8", "46=0x8", ""},
		{"spelt otherwise in NetBox", "6=10.1.1.1,10.1.1.2; 46=8", "6=10.1.1.1,10.1.1.2; 46=8", "6=10.1.1.1,10.1.1.2; 46=8", nil, "6=10.1.1.1,10.1.1.2; 46=8", "6=10.1.1.1,10.1.1.2; 46=0x8", ""},
		{"no address", both, "6=ns.corp.example; 15=corp.example", both, nil, "6=ns.corp.example; 15=corp.example", both, "is no value of type IPv4Address"},
		{"binary", "43=0x01", "43=0x02", "43=0x01", nil, "43=0x02", "43=0x01", "may come back otherwise"},
		{"a code nobody knows", "", "224=x", "", nil, "224=x", "", "its type is not known here"},
		{"the router by that way", "", "3=10.8.4.1", "", nil, "3=10.8.4.1", "", "fields of the scope"},
		{"the lease time by that way", "", "51=60", "", nil, "51=60", "", "fields of the scope"},
		{"one of a vendor class", both, "6=10.1.1.1; 15=corp.example; v:1=x", both, nil, "6=10.1.1.1; 15=corp.example; v:1=x", both, "one of a vendor class"},
		{"one with a value for a policy", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.scope.options = append(l.scope.options, policy) },
			"6=10.1.1.7; 15=corp.example", "6=10.1.1.1; 6=10.1.1.9!; 15=corp.example", "a value for a user class or a policy"},
		{"a script that does not tell classes", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.scope.options[0].ClassesTold = false },
			"6=10.1.1.7; 15=corp.example", both, "does not tell whether"},
		{"a script without the call", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.w.server(dh1).noOptions = true }, "6=10.1.1.7; 15=corp.example", both, "no call for it"},
		{"the server wins", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.p.Servers[0].NoPush = true }, both, both, ""},
		{"a brake", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.p.Servers[0].ReadOnly = true }, "6=10.1.1.7; 15=corp.example", both, "1 change"},
		{"options are not followed", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.p.RefreshOptions = false }, "6=10.1.1.7; 15=corp.example", both, ""},
		{"they cannot be read", both, "6=10.1.1.7; 15=corp.example", both, func(l *lab) { l.scope.optionsFail = true }, "6=10.1.1.7; 15=corp.example", both, "500"},
		{"one code twice in NetBox", both, "6=10.1.1.7; 6=10.1.1.8; 15=corp.example", both, nil, "6=10.1.1.7; 6=10.1.1.8; 15=corp.example", both, "option 6 has two values"},
		{"the memory is lost: the server's counts", both, "6=10.1.1.7; 15=corp.example; 42=10.1.1.3", both, func(l *lab) { l.w.memory = plan.Memory{} }, both, both, "option 6 becomes 10.1.1.1, as the server has it, instead of 10.1.1.7"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.scope.setOptions(c.base)
			l.run()
			l.p.PushScopeInfo = true
			l.run()
			r := &l.w.nb.Ranges[0]
			r.Options = optionsField(c.netbox)
			l.scope.setOptions(c.server)
			if c.edit != nil {
				c.edit(l)
			}
			p := l.run()
			if got := optionsShown(t, r.Options); got != c.wantNetBox || l.scope.showOptions() != c.wantServer {
				t.Errorf("NetBox has %s, want %s; the server has %s, want %s\n%s", got, c.wantNetBox, l.scope.showOptions(), c.wantServer, describe(p))
			}
			if c.note != "" && !strings.Contains(describe(p), c.note) {
				t.Errorf("not told: %s\n%s", c.note, describe(p))
			}
			l.w.hoursLater(3)
			p = l.run()
			wantSteps(t, p, anyStep)
			if hasNote(p, plan.Warning, "5.6", "") || hasNote(p, plan.Conflict, "5.6", "") {
				t.Errorf("told again\n%s", describe(p))
			}
		})
	}
}

// rule 5.6: what a plan says of options that go to a server.
func TestOptionsGoInOneStep(t *testing.T) {
	l := newLab(t)
	l.scope.setOptions("6=10.1.1.1; 46=1")
	l.run()
	l.p.PushScopeInfo = true
	l.run()
	l.w.nb.Ranges[0].Options = optionsField("6=10.1.1.7; 15=corp.example; 46=0x8")
	p := l.plan()
	wantSteps(t, p, onServers, "update option 6, 15, 46 of scope 10.8.4.0/24 of dh1.corp.example (net 10.8.4.0/24) [5.6]")
	if got := changed(p, onServers); got != `option_6 ["10.1.1.1"]->["10.1.1.7"], option_15 <nil>->["corp.example"], option_46 ["0x1"]->["8"]` {
		t.Error(got)
	}
}

// rules 5.3 and 5.6: a scope made from NetBox is made with its state and options, and
// what was sent is the agreement: a later change on Windows is followed.
func TestANewScopeGetsItsStateAndOptions(t *testing.T) {
	for _, c := range []struct {
		name          string
		edit          func(*lab)
		state         string
		want          string // options on the server
		note          string
		wantInactive  bool
		wantUncreated bool
	}{
		{"all of it", nil, "Inactive", "6=10.1.1.7; 15=corp.example", "", true, false},
		{"active where NetBox does not say", nil, "", "6=10.1.1.7; 15=corp.example", "", false, false},
		{"what cannot be set stays in NetBox", func(l *lab) {
			l.w.nb.Ranges[0].Options = optionsField("6=10.1.1.7; 43=0x01; 66=\u00fcber; v:1=x")
		}, "Active", "6=10.1.1.7", "made without 3 options", false, false},
		{"a script without the call", func(l *lab) { l.w.server(dh1).noOptions = true }, "Active", "", "made without 2 options, since the server's script has no call for it", false, false},
		{"an old script makes active scopes only", func(l *lab) { l.w.server(dh1).oldScript = true }, "Inactive", "", "can make active scopes only", false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t)
			l.p.PushScopeInfo = true
			clear(l.w.server(dh1).scopes)
			r := &l.w.nb.Ranges[0]
			r.ScopeState, r.Options, r.Router, r.Exclusions = c.state, optionsField("6=10.1.1.7; 15=corp.example"), "10.8.4.1", exclusionsField(spansOf(t, "30-39"))
			if c.edit != nil {
				c.edit(l)
			}
			kept := optionsShown(t, r.Options)
			made := l.plan()
			if c.note != "" {
				if !strings.Contains(describe(made), c.note) {
					t.Errorf("not told: %s\n%s", c.note, describe(made))
				}
			}
			if err := l.w.apply(made); err != nil {
				t.Fatal(err)
			}
			scope := l.w.server(dh1).scopes[l.scope.ID()]
			if scope == nil {
				if !c.wantUncreated {
					t.Fatalf("it was not made\n%s", describe(made))
				}
				return
			}
			if scope.Active() == c.wantInactive || scope.showOptions() != c.want {
				t.Errorf("it is %s with %s, want inactive %t with %s", scope.State, scope.showOptions(), c.wantInactive, c.want)
			}
			p := l.run()
			wantSteps(t, p, onServers)
			if got := optionsShown(t, r.Options); got != kept {
				t.Errorf("NetBox has %s, and had %s\n%s", got, kept, describe(p))
			}
			scope.State, scope.Router = "Inactive", scope.Start
			scope.setOption(6, []string{"10.1.1.9"})
			scope.exclusions = append(scope.exclusions, spansOf(t, "60-69")...)
			wantSteps(t, l.run(), onServers)
			if stateWord(r.ScopeState) != "Inactive" || r.Router != scope.Start.String() || l.recordedSpans() != "30-39 60-69" {
				t.Errorf("NetBox has %s, router %s and exclusions %s", r.ScopeState, r.Router, l.recordedSpans())
			}
			if got := optionsShown(t, r.Options); c.want != "" && !strings.HasPrefix(got, "6=10.1.1.9") {
				t.Errorf("NetBox has %s", got)
			}
		})
	}
}

// rule 5.6: with a brake a scope is not made, and nothing is taken for agreed.
func TestAScopeThatIsNotMadeIsNotAgreedOn(t *testing.T) {
	l := newLab(t)
	l.p.PushScopeInfo, l.p.ReadOnly = true, true
	clear(l.w.server(dh1).scopes)
	l.w.memory.Scopes = nil
	l.w.nb.Ranges[0].Options = optionsField("6=10.1.1.7")
	if p := l.plan(); len(p.Memory.Scopes) > 0 || len(p.Steps) > 0 {
		t.Errorf("%v\n%s", p.Memory.Scopes, describe(p))
	}
}
