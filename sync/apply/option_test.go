package apply_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/netboxio"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
)

// setOption is a step that sets option 6 of the office, and 46 for the first time.
func setOption(old, now, first string) plan.Step {
	s := adjust(change("option_6", json.RawMessage(old), json.RawMessage(now)))
	s.Kind, s.Name = plan.WindowsOption, "option 6 of scope 10.8.4.0/24"
	if first != "" {
		s.Changes = append(s.Changes, change("option_46", nil, json.RawMessage(first)))
	}
	return s
}

// own lets the lab's server run our script, and learns that.
func (l *lab) own() *lab {
	l.Helper()
	l.dh1.Configure(func(c *psutest.Config) { c.Script = psutest.Own })
	if _, err := l.targets.Servers[dh1].Health(l.Context()); err != nil {
		l.Fatal(err)
	}
	l.dh1.ForgetRequests()
	return l
}

func optionTexts(s psutest.Scope) (out []string) {
	for _, o := range s.Options {
		if o.VendorClass == "" {
			out = append(out, fmt.Sprintf("%d%s%s%s", o.Code, o.Values, o.UserClass, o.Policy))
		}
	}
	return out
}

// rule 5.6: options are set if they are still as the plan saw them, all of them or none.
func TestOptionsAreSet(t *testing.T) {
	const was, now = `["10.1.1.1","10.1.1.2"]`, `["10.1.1.7"]`
	const put = "PUT options/scope/10.8.4.0"
	before := []string{"6[10.1.1.1 10.1.1.2]", "15[corp.example]"}
	done := []string{"6[10.1.1.7]", "15[corp.example]", "46[0x8]"}
	for _, c := range []struct {
		name    string
		before  func(*psutest.World)
		fault   *psutest.Fault
		step    plan.Step
		outcome netboxio.Outcome
		say     string
		writes  []string
		want    []string
	}{
		{name: "both", step: setOption(was, now, `["8"]`), outcome: netboxio.Done, writes: []string{put}, want: done},
		{name: "one is as wanted already", step: setOption(was, was, `["8"]`), outcome: netboxio.Done, writes: []string{put}, want: append(before[:2:2], "46[0x8]")},
		{name: "all are", step: setOption(now, was, ""), outcome: netboxio.Unchanged, want: before},
		{name: "changed meanwhile", step: setOption(`["10.1.1.1"]`, now, `["8"]`), outcome: netboxio.Changed, say: "option 6 is 10.1.1.1, 10.1.1.2", want: before},
		{name: "gone meanwhile", before: func(w *psutest.World) { w.Scope("10.8.4.0").Options = w.Scope("10.8.4.0").Options[1:] }, step: setOption(was, now, ""), outcome: netboxio.Changed, say: "option 6 is not set", want: before[1:]},
		{name: "a policy has one meanwhile", before: func(w *psutest.World) {
			s := w.Scope("10.8.4.0")
			s.Options = append(s.Options, &psutest.Option{Code: 6, Values: []string{"10.1.1.9"}, Type: "IPv4Address", Policy: "p"})
		}, step: setOption(was, now, ""), outcome: netboxio.Changed, say: "user class or a policy", want: append(before[:2:2], "6[10.1.1.9]p")},
		{name: "the answer is late", fault: &psutest.Fault{Method: "PUT", Kind: psutest.Timeout504After, Times: 1}, step: setOption(was, now, `["8"]`), outcome: netboxio.Done, writes: []string{put}, want: done},
		{name: "refused", fault: &psutest.Fault{Method: "PUT", Kind: psutest.Error500}, step: setOption(was, now, `["8"]`), outcome: netboxio.Refused, say: "500", writes: []string{put}, want: before},
		{name: "one that Windows refuses", step: setOption(was, now, `["800"]`), outcome: netboxio.Refused, say: "400", writes: []string{put}, want: before},
		{name: "said to be done, and is not", fault: &psutest.Fault{Method: "PUT", Kind: psutest.Swallowed}, step: setOption(was, now, ""), outcome: netboxio.Failed, say: "no entry of this list", writes: []string{put, put}, want: before},
		{name: "they cannot be read", fault: &psutest.Fault{Method: "GET", Path: "options/scope/10.8.4.0", Kind: psutest.Error500}, step: setOption(was, now, ""), outcome: netboxio.Failed, say: "500", want: before},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLab(t).own()
			if c.before != nil {
				l.dh1.Edit(c.before)
			}
			if c.fault != nil {
				l.dh1.Fail(*c.fault)
			}
			l.one(c.step, c.outcome, c.say)
			l.wantWrites(c.writes...)
			if diff := cmp.Diff(c.want, optionTexts(l.scope("10.8.4.0"))); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
}

// rule 5.3: a new scope is made with its options, and they are looked at afterwards.
func TestANewScopeIsMadeWithItsOptions(t *testing.T) {
	step := newScope("10.8.7.0/24", "10.8.7.10", "10.8.7.99", "10.8.7.1", 3600)
	step.Changes = append(step.Changes, change("state", nil, "Inactive"), change("options", nil, json.RawMessage(`[{"code":6,"value":["10.1.1.7"]},{"code":46,"value":["8"]}]`)))
	l := newLab(t).own()
	l.one(step, netboxio.Done, "")
	got := l.scope("10.8.7.0")
	if diff := cmp.Diff([]string{"6[10.1.1.7]", "46[0x8]"}, optionTexts(got)); diff != "" || got.State != "InActive" {
		t.Errorf("%s %s", got.State, diff)
	}
	l.one(step, netboxio.Unchanged, "")

	l = newLab(t).own()
	l.dh1.Fail(psutest.Fault{Method: "GET", Path: "options/scope/10.8.7.0", Kind: psutest.Error500})
	l.one(step, netboxio.Done, "its options could not be read afterwards")
}
