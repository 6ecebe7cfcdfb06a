package inventory

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/ipam"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/strictyaml"
)

// ofContext matches the objects of problems in config contexts: a context, or what a
// machine or prefix has of several.
var ofContext = regexp.MustCompile(`^(config context|device|virtual machine|prefix) .*\(id (\d+)\)(|, config context|, site context)$`)

// WithLines puts file and line before the objects of problems that ipam.Build found in
// the config contexts of the inventory at path, whose data is under contextKey. There is
// no line where several contexts say the key. The file is read again, and only if there
// are problems: its nodes take some twenty times its size.
func WithLines(path, contextKey string, problems []ipam.Problem) []ipam.Problem {
	if len(problems) == 0 {
		return nil
	}
	data, err := os.ReadFile(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return problems
	}
	var file document
	l := lines{report: strictyaml.Decode(path, data, &file), contexts: len(file.Contexts), key: contextKey}
	placed := make([]ipam.Problem, 0, len(problems))
	for _, p := range problems {
		if m := ofContext.FindStringSubmatch(p.Object); m != nil && (m[3] != "" || m[1] == "config context") {
			id, _ := strconv.Atoi(m[2])
			p.Object = strictyaml.Problem{File: path, Line: l.of(m[1], id, keyOf(p.Text)), Text: p.Object}.String()
		}
		placed = append(placed, p)
	}
	return placed
}

// lines finds keys of config contexts in a file.
type lines struct {
	report   *strictyaml.Report
	contexts int
	key      string // of contexts
}

// of is the line of a key in the context of an object, or of the context that lacks it; 0:
// several contexts say it.
func (l lines) of(table string, id int, key string) int {
	switch table {
	case "config context":
		at := fmt.Sprintf("config_contexts[%d]", id-1)
		if below := at + ".data." + l.key + "." + key; l.report.Has(below) {
			return l.report.Line(below)
		}
		return l.report.Line(at)
	case "device", "virtual machine":
		own := fmt.Sprintf("%ss[%d].config_context.%s.%s", strings.ReplaceAll(table, " ", "_"), id-1, l.key, key)
		if l.report.Has(own) {
			return l.report.Line(own)
		}
	}
	line := 0
	for i := range l.contexts {
		at := fmt.Sprintf("config_contexts[%d].data.%s.%s", i, l.key, key)
		switch {
		case !l.report.Has(at):
		case line != 0:
			return 0
		default:
			line = l.report.Line(at)
		}
	}
	return line
}

// keyOf is the path of keys that a problem begins with, without its quotes.
func keyOf(text string) string {
	var key strings.Builder
	for text != "" && text[0] != ':' && text[0] != ' ' {
		written := text[:1]
		if quoted, err := strconv.QuotedPrefix(text); err == nil {
			written = quoted
		}
		text = text[len(written):]
		if plain, err := strconv.Unquote(written); err == nil {
			written = plain
		}
		key.WriteString(written)
	}
	return key.String()
}
