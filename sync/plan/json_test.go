package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan/plantest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/report"
)

// samePlan compares plans as the next program would: values of JSON by what
// they say, and without the memory, which is not saved.
func samePlan(a, b *plan.Plan) string {
	return cmp.Diff(a, b,
		cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
		cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }),
		cmp.Transformer("canonical", func(raw json.RawMessage) string { return string(canonjson.Format(raw)) }),
		cmpopts.IgnoreFields(plan.Plan{}, "Memory"))
}

func saved(t interface {
	Helper()
	Fatal(...any)
}, p *plan.Plan) []byte {
	t.Helper()
	data, err := p.JSON()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestASavedPlanIsReadBackTheSame(t *testing.T) {
	data := saved(t, plantest.Sample())
	plantest.Golden(t, "plan.json", data)
	got, err := plan.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := samePlan(plantest.Sample(), got); diff != "" {
		t.Errorf("-saved +read:\n%s", diff)
	}
	if again := saved(t, got); !bytes.Equal(again, data) {
		t.Errorf("saved again it differs:\n%s", cmp.Diff(string(data), string(again)))
	}
	if _, err := plan.Parse(saved(t, &plan.Plan{})); err != nil {
		t.Errorf("empty plan: %v", err)
	}
}

func TestASavedPlanIsSafeToLookAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := plantest.Sample()
		p.Steps[3].Why = rapid.String().Draw(t, "why")
		p.Steps[3].Changes[1].New = rapid.String().Draw(t, "name")
		raw, err := json.Marshal(map[string]string{"x": rapid.String().Draw(t, "data")})
		if err != nil {
			t.Fatal(err)
		}
		p.Steps[0].Changes[0].New = json.RawMessage(raw)
		data := saved(t, p)
		plantest.CheckSafe(t, data)
		got, err := plan.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := samePlan(p, got); diff != "" {
			t.Errorf("-saved +read:\n%s", diff)
		}
	})
}

func TestValuesOfOtherTypesAreNotSaved(t *testing.T) {
	for _, v := range []any{1, 1.5, []string{"a"}, json.RawMessage("{")} {
		p := &plan.Plan{Steps: []plan.Step{{Changes: []plan.Change{{Field: "status", New: v}}}}}
		if data, err := p.JSON(); err == nil {
			t.Errorf("%T %v: saved as %s", v, v, data)
		}
	}
}

func TestAFileThatIsNoPlanIsRefusedWithTheReason(t *testing.T) {
	const edited = "the steps are not those that were saved"
	data := string(saved(t, plantest.Sample()))
	replaced := func(before, after string) string {
		if !strings.Contains(data, before) {
			t.Fatalf("the sample has no %s", before)
		}
		return strings.Replace(data, before, after, 1)
	}
	for name, c := range map[string]struct{ data, want string }{
		"nothing":                         {"", "unexpected end"},
		"a document of another kind":      {`{"steps":[]}`, plan.ErrFormat.Error()},
		"a later version":                 {replaced(`"version": 1`, `"version": 2`), "version 2"},
		"cut off":                         {data[:len(data)/2], "line "},
		"text for a number":               {replaced(`"id": 4`, `"id": "4"`), edited},
		"an unknown field":                {replaced(`"id": 4`, `"ident": 4`), edited},
		"a field in another case":         {replaced(`"id": 4`, `"ID": 4`), edited},
		"an unknown field in a change":    {replaced(`"old": false`, `"odl": false`), edited},
		"a fraction":                      {replaced(`"old": 86400`, `"old": 86400.5`), edited},
		"an unknown action":               {replaced(`"action": "create"`, `"action": "wipe"`), edited},
		"an unknown phase":                {replaced(`"phase": 6`, `"phase": 7`), edited},
		"a delete of no object":           {replaced(`"id": 71,`, ``), edited},
		"a create of one":                 {replaced(`"name": "10.8.4.33/24"`, `"id": 5, "name": "10.8.4.33/24"`), edited},
		"an address on a server":          {replaced(`"target": "netbox"`, `"target": "dh1"`), edited},
		"a reservation in NetBox":         {replaced(`"target": "dh1.corp.example"`, `"target": "netbox"`), edited},
		"no target":                       {replaced(`"target": "netbox"`, `"target": ""`), edited},
		"a change of no field":            {replaced(`"field": "dns_name"`, `"field": ""`), edited},
		"no address":                      {replaced(`"addr": "10.8.4.60"`, `"addr": "10.8.4.660"`), edited},
		"an address in another form":      {replaced(`"scope": "10.8.6.0/25"`, `"scope": "::ffff:10.8.6.0/121"`), edited},
		"saved before there was a digest": {regexp.MustCompile(`"digest": ".*",`).ReplaceAllString(data, ""), "has no digest"},
		"another digest":                  {replaced("sha256:", "sha256:0"), edited},
		"a step left out":                 {regexp.MustCompile(`(?s)"steps": \[.*?\n    \},`).ReplaceAllString(data, `"steps": [`), edited},
		"text for a time":                 {replaced(`"made": "2026`, `"made": "one`), "parsing time"},
		"something behind it":             {data + "{}", "after top-level value"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := plan.Parse([]byte(c.data))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want an error with %q", p != nil, err, c.want)
			}
			if wrongKind := c.want == plan.ErrFormat.Error() || c.want == "version 2"; errors.Is(err, plan.ErrFormat) != wrongKind {
				t.Errorf("%v: ErrFormat is %v", err, !wrongKind)
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(saved(f, plantest.Sample()))
	f.Add(saved(f, &plan.Plan{}))
	f.Add([]byte(`{"format":"netbox-dhcp-sync plan","version":1,"digest":"sha256:x","made":"2026-07-01T03:00:00+02:00","steps":[{"phase":3,"target":"dh1","action":"delete","kind":"dhcp.exclusion","name":"<\u202e","changes":[{"field":"x","old":[1],"new":null}],"rule":"","why":""}],"notes":null,"scopes":[],"violations":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := plan.Parse(data)
		if err != nil {
			return
		}
		again, err := plan.Parse(saved(t, p))
		if err != nil {
			t.Fatalf("what was saved is not read: %v", err)
		}
		if diff := samePlan(p, again); diff != "" {
			t.Errorf("-read +read again:\n%s", diff)
		}
		var text bytes.Buffer
		if err := report.Text(&text, p, report.TextOptions{Verbose: true, Width: 60}); err != nil {
			t.Fatal(err)
		}
		plantest.CheckSafe(t, text.Bytes())
	})
}
