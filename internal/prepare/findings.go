package prepare

import (
	"fmt"
)

// Severity ranks findings.
type Severity uint8

// The severities. A Failure keeps a feature from working; a Warning will hurt
// later or in some cases; a Notice is good to know.
const (
	Notice Severity = iota + 1
	Warning
	Failure
)

// String gives the word shown before a finding.
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Failure:
		return "failure"
	}
	return "unknown"
}

// Finding is something about a NetBox that does not suit us.
type Finding struct {
	Severity Severity
	Object   string // "custom field pydhcp_expire"
	Problem  string
	Fix      string // what to do about it; may be empty
}

// String is the finding in one line.
func (f Finding) String() string {
	line := fmt.Sprintf("%s: %s: %s", f.Severity, f.Object, f.Problem)
	if f.Fix != "" {
		line += "; " + f.Fix
	}
	return line
}
