package lease

import (
	"fmt"
	"strings"
)

// Trace is the chain of reasons of one decision, for explain, tests and debug
// logs. A nil *Trace records nothing.
type Trace struct {
	Steps []Step
}

// Step is one reason: the rule that applied and what it found, in words that
// name NetBox objects.
type Step struct {
	Rule string `json:"rule"`
	Text string `json:"text"`
}

// addf notes a step. Its arguments cost an allocation each even where t is nil:
// callers on the path of every packet ask first.
func (t *Trace) addf(rule, format string, args ...any) {
	if t != nil {
		t.Steps = append(t.Steps, Step{Rule: rule, Text: fmt.Sprintf(format, args...)})
	}
}

// String renders one line a step, the rule last.
func (t *Trace) String() string {
	var b strings.Builder
	for _, s := range t.Steps {
		fmt.Fprintf(&b, "%s (rule %s)\n", s.Text, s.Rule)
	}
	return b.String()
}
