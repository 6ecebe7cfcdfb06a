package strictyaml

import (
	"fmt"
	"strings"
)

// Problem is one mistake in a file.
type Problem struct {
	File string
	Line int    // 1-based; 0: the mistake is not on a line of the file
	Key  string // path such as netbox.lease.time; empty: the file as a whole
	Text string // what is wanted, and what stands there instead
}

// String renders "config.yml:12: netbox.lease.time: want ...".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	return b.String()
}

// Problems are all mistakes of one file, by line. It is an error where it is
// not empty.
type Problems []Problem

// Error has one line for each mistake.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}
