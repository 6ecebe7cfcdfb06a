// Package strictyaml reads YAML written by people into structs and reports
// every mistake of the file at once, each with its line: unknown and repeated
// keys, wrong types, text that does not parse. Values of wrong scalars are
// quoted in reports, so nothing secret may be decoded with it. It opens no
// file and knows no meaning: rules between keys belong to the caller, who
// reports through the same Report.
package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Report collects the mistakes of one file and knows where its keys stand.
type Report struct {
	file     string
	root     *yaml.Node // nil: empty or unreadable
	problems Problems
	failed   map[string]bool

	parts    map[*yaml.Node][]part // of lists that were cut out, by what is in their place
	torn     bool                  // one of them cannot be read in parts
	looked   *part                 // the one that find looked at last
	lookedAt []*yaml.Node          // its entries
}

// Decode reads the one YAML document in data into out, a pointer to a struct,
// and reports with file as the file's name. Fields that are absent or null in
// the file keep the value they have, so defaults are set beforehand; entries of
// lists and maps get theirs from their method SetDefaults, if they have one.
//
// Fields are found by their yaml tag. Supported are string, bool, integers,
// time.Duration (Go's notation, and d for days), netip.Addr and netip.Prefix
// ("" is the zero value), encoding.TextUnmarshaler, slices, structs, pointers
// (nil for what is absent), json.RawMessage (any YAML value, as JSON),
// yaml.Node (the value without aliases), List at the top of the file, maps with keys of text, netip.Addr or
// netip.Prefix, and one map tagged ",inline" in a struct, which takes the keys no
// field names. Without it they are mistakes. A key with a tag refuse:"why" is a
// mistake too, reported with that text and never with its value.
func Decode(file string, data []byte, out any) *Report {
	return decodeInParts(file, data, out, partSize)
}

// DecodeWhole is Decode for a file with a List that turned out to be Torn.
func DecodeWhole(file string, data []byte, out any) *Report {
	r := &Report{file: file, failed: make(map[string]bool)}
	if r.read(data) {
		r.decode("", r.root, out)
	}
	return r
}

// decodeInParts takes lists of more entries than size out of the document.
func decodeInParts(file string, data []byte, out any, size int) *Report {
	v := reflect.ValueOf(out).Elem()
	rest, lists := cut(data, walkedKeys(v), size)
	if len(lists) == 0 {
		return DecodeWhole(file, data, out)
	}
	r := &Report{file: file, failed: make(map[string]bool)}
	if !r.read(rest) || !r.attach(lists, v) {
		return DecodeWhole(file, data, out)
	}
	r.decode("", r.root, out)
	return r
}

// read parses the one document in data; false: there is nothing to decode.
func (r *Report) read(data []byte) bool {
	documents := yaml.NewDecoder(bytes.NewReader(data))
	var document, more yaml.Node
	switch err := documents.Decode(&document); {
	case errors.Is(err, io.EOF):
		return false
	case err != nil:
		r.syntax(err)
		return false
	}
	switch err := documents.Decode(&more); {
	case err == nil:
		r.add(more.Line, "---", "a second document begins here, which is not read: keep everything in one")
	case !errors.Is(err, io.EOF):
		r.syntax(err)
	}
	if len(document.Content) == 0 {
		return false
	}
	r.root = r.expand("", document.Content[0])
	return true
}

// Addf reports a mistake at the line of path, or of the nearest key above it
// that is in the file. A path is keys and list positions as in
// "devices[0].interfaces[2].name". Where path or a key above it was reported
// already, nothing is added: one broken value is one mistake.
func (r *Report) Addf(path, format string, args ...any) {
	if r.Failed(path) {
		return
	}
	line, _ := r.find(path)
	r.add(line, path, fmt.Sprintf(format, args...))
}

// Failed says that path, a key above it or the file as a whole was reported.
func (r *Report) Failed(path string) bool {
	for ; path != ""; path = path[:max(strings.LastIndexAny(path, ".["), 0)] {
		if r.failed[path] {
			return true
		}
	}
	return r.failed[""]
}

// Has says that path stands in the file with a value that is not null.
func (r *Report) Has(path string) bool {
	_, value := r.find(path)
	return value != nil && (value.ShortTag() != "!!null" || r.parts[value] != nil)
}

// Torn says that a List could not be walked to its end, since it cannot be read
// without what is around it. What was read is to be thrown away, and the file to be
// read by DecodeWhole.
func (r *Report) Torn() bool { return r.torn }

// Problems returns what was reported, by line; empty if the file is right.
func (r *Report) Problems() Problems {
	sorted := slices.Clone(r.problems)
	slices.SortStableFunc(sorted, func(a, b Problem) int { return a.Line - b.Line })
	return sorted
}

// Err returns Problems as an error, nil if there are none.
func (r *Report) Err() error {
	if len(r.problems) == 0 {
		return nil
	}
	return r.Problems()
}

func (r *Report) add(line int, path, text string) {
	r.failed[path] = true
	r.problems = append(r.problems, Problem{File: r.file, Line: line, Key: path, Text: text})
}

// syntax reports an error of the YAML parser, "yaml: line 3: text".
func (r *Report) syntax(err error) {
	line, text := 0, strings.TrimPrefix(err.Error(), "yaml: ")
	if n, _ := fmt.Sscanf(text, "line %d:", &line); n == 1 {
		_, text, _ = strings.Cut(text, ": ")
	}
	r.add(line, "", "not YAML: "+text+hint(text))
}

// hint tells what is behind an error of a double-quoted text: mostly a path of
// Windows.
func hint(text string) string {
	if strings.Contains(text, "escape character") || strings.Contains(text, "hexdecimal number") {
		return `; a backslash means something in double quotes: put a path of Windows into single quotes, such as 'C:\dhcp\a.token'`
	}
	return ""
}

// Line is the line of the last key or list entry on the way along path; 0 where
// the first key is not in the file.
func (r *Report) Line(path string) int {
	line, _ := r.find(path)
	return line
}

// find walks from the root along path and returns its value, nil where the
// path leaves the file, and the line of the last key or list entry on the way.
func (r *Report) find(path string) (line int, value *yaml.Node) {
	value = r.root
	for path != "" && value != nil {
		var key *yaml.Node
		if path[0] == '[' {
			var number string
			number, path, _ = strings.Cut(path[1:], "]")
			key = r.item(value, number)
			value = key
		} else {
			key, value, path = entry(value, strings.TrimPrefix(path, "."))
		}
		if key != nil {
			line = key.Line
		}
	}
	return line, value
}

// item returns the entry at a position of a list, nil if there is none.
func (r *Report) item(list *yaml.Node, number string) *yaml.Node {
	i, err := strconv.Atoi(number)
	if parts := r.parts[list]; parts != nil && err == nil && i >= 0 {
		return r.itemOf(parts, i)
	}
	if err != nil || list.Kind != yaml.SequenceNode || i < 0 || i >= len(list.Content) {
		return nil
	}
	return list.Content[i]
}

// entry returns key and value of the longest key of a mapping that path begins
// with, and the rest of path: names of hosts are keys with dots in them. Both
// are nil if there is none.
func entry(mapping *yaml.Node, path string) (key, value *yaml.Node, rest string) {
	if mapping.Kind != yaml.MappingNode {
		return nil, nil, path
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		candidate := mapping.Content[i]
		after, ok := strings.CutPrefix(path, candidate.Value)
		if ok && (after == "" || after[0] == '.' || after[0] == '[') && (key == nil || len(after) < len(rest)) {
			key, value, rest = candidate, mapping.Content[i+1], after
		}
	}
	return key, value, rest
}
