package report

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/plan/plantest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

func rendered(t *testing.T, p *plan.Plan, opts TextOptions) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Text(&b, p, opts); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAPlanForPeople(t *testing.T) {
	plantest.Golden(t, "plan.txt", rendered(t, plantest.Sample(), TextOptions{Width: 100}))
	plantest.Golden(t, "plan-verbose.txt", rendered(t, plantest.Sample(), TextOptions{Verbose: true}))
	plantest.Golden(t, "plan-colour.txt", rendered(t, plantest.Sample(), TextOptions{Colour: true, Width: 80}))
	plantest.Golden(t, "plan-empty.txt", rendered(t, &plan.Plan{}, TextOptions{}))
}

func TestTheSummaryIsOneLine(t *testing.T) {
	for name, c := range map[string]struct {
		plan *plan.Plan
		want string
	}{
		"everything":                           {plantest.Sample(), "Plan: 1 to create, 4 to change, 1 to delete in NetBox; 1 on dh1.corp.example; 1 invalid status; 5 notes (1 failure, 1 held back by guards)"},
		"nothing":                              {&plan.Plan{}, "Plan: nothing to change"},
		"a note":                               {&plan.Plan{Notes: []plan.Note{{Level: plan.Info}}}, "Plan: nothing to change; 1 note"},
		"a server that calls itself something": {&plan.Plan{Steps: []plan.Step{{Target: "dh\n1", Action: state.Create}}}, `Plan: 1 on dh\n1`},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Summary(c.plan); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// With any names, each line stays a line and no character of them
// steers the terminal.
func TestHostileTextStaysInItsPlace(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching("[\\x00-\\x1f\u0080-\u009f\u202a-\u202e\u2066-\u2069a ]*")).Draw(rt, "text")
		plain, other := plantest.Sample(), plantest.Sample()
		for _, p := range []*plan.Plan{plain, other} {
			word := "x"
			if p == other {
				word = s
			}
			p.Steps[0].Name, p.Steps[1].Why, p.Steps[2].Target, p.Steps[3].Rule = word, word, "dh"+word, word
			p.Steps[2].AddTags, p.Steps[2].Journal, p.Steps[3].Changes[1].New = []string{word + "t"}, word, word
			p.Notes[0].Text, p.Notes[0].Server, p.Scopes[0].Name, p.Violations[0].Text = word, word, "n"+word, word
		}
		out := rendered(t, other, TextOptions{Verbose: true})
		if lines, want := bytes.Count(out, []byte("\n")), bytes.Count(rendered(t, plain, TextOptions{Verbose: true}), []byte("\n")); strings.TrimSpace(s) != "" && lines != want {
			rt.Errorf("%q makes %d lines of %d:\n%s", s, lines, want, out)
		}
		plantest.CheckSafe(rt, out)
	})
}

type brokenPipe struct{}

var errPipe = errors.New("broken pipe")

func (brokenPipe) Write([]byte) (int, error) { return 0, errPipe }

func TestAnErrorOfTheStreamIsReturned(t *testing.T) {
	if err := Text(brokenPipe{}, plantest.Sample(), TextOptions{}); !errors.Is(err, errPipe) {
		t.Errorf("got %v", err)
	}
}
