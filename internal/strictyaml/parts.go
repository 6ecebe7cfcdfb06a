package strictyaml

import (
	"bytes"
	"reflect"
	"slices"
	"sort"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The parser makes nodes of a whole document, which take some twenty times its size.
// So a long list in the usual notation, with its key and the dashes of its entries
// each at the start of a line, is taken out of the document and parsed in parts. What
// cannot be parsed so, by its own or with what is around it, is parsed whole.

// partSize is how many entries are parsed at a time. Lists up to it are left where they
// are.
const partSize = 500

// cutList is a list that was taken out of a document.
type cutList struct {
	key   string
	line  int // of the key
	parts []part
}

// part is some entries of a list, as they stand in the file.
type part struct {
	text  []byte
	line  int // lines of the file before it
	first int // position of its first entry
	count int
}

// cut takes the lists with the given keys out of a document if they have more entries
// than size. Empty lines are left in their place.
func cut(data []byte, keys []string, size int) (rest []byte, lists []cutList) {
	if len(keys) == 0 || oddlyWritten(data) {
		return data, nil
	}
	for line := 1; len(data) > 0; line++ {
		head := firstLine(data)
		rest, data = append(rest, head...), data[len(head):]
		key := keyAlone(head, keys)
		if key == "" {
			continue
		}
		parts, length := cutEntries(data, line, size)
		if len(parts) < 2 {
			continue
		}
		lists = append(lists, cutList{key, line, parts})
		lines := bytes.Count(data[:length], []byte("\n"))
		rest, data = append(rest, bytes.Repeat([]byte("\n"), lines)...), data[length:]
		line += lines
	}
	return rest, lists
}

// oddlyWritten says that lines may end, or characters be written, in ways that people
// hardly use.
func oddlyWritten(data []byte) bool {
	for _, odd := range []string{"\x00", "\u0085", "\u2028", "\u2029", "\ufeff", "\xff\xfe", "\xfe\xff"} {
		if bytes.Contains(data, []byte(odd)) {
			return true
		}
	}
	return bytes.Count(data, []byte("\r")) != bytes.Count(data, []byte("\r\n"))
}

// firstLine is data up to the end of its first line.
func firstLine(data []byte) []byte {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return data[:end+1]
	}
	return data
}

// keyAlone returns which of keys stands at the start of a line with nothing but a
// comment behind it; "" for none.
func keyAlone(line []byte, keys []string) string {
	for _, key := range keys {
		if after, ok := bytes.CutPrefix(line, []byte(key+":")); ok {
			text := bytes.TrimSpace(after)
			if len(text) == 0 || text[0] == '#' && after[0] == ' ' {
				return key
			}
		}
	}
	return ""
}

// cutEntries cuts the list that data starts with, line lines into the file, into parts of size entries. It
// returns how long the list is; no parts: it is not in the usual notation.
func cutEntries(data []byte, line, size int) (parts []part, length int) {
	indent, entries, begin, beginLine := -1, 0, 0, line
	add := func(end int) {
		first := len(parts) * size
		parts = append(parts, part{data[begin:end], beginLine, first, entries - first})
		begin, beginLine = end, line
	}
	for length < len(data) {
		text := firstLine(data[length:])
		content := bytes.TrimLeft(text, " ")
		at, dash := len(text)-len(content), isDash(content)
		switch {
		case len(bytes.TrimSpace(content)) == 0 || content[0] == '#' || indent >= 0 && at > indent:
		case dash && (indent < 0 || at == indent):
			if indent = at; entries > 0 && entries%size == 0 {
				add(length)
			}
			entries++
		case indent >= 0 && at == 0: // the next key
			add(length)
			return parts, length
		default:
			return nil, 0
		}
		length += len(text)
		line++
	}
	add(length)
	return parts, length
}

// isDash says that an entry of a list begins with a line.
func isDash(line []byte) bool {
	return len(line) > 1 && line[0] == '-' && strings.IndexByte(" \t\r\n", line[1]) >= 0
}

// nodes parses a part. It reports false if that does not give the entries that
// were seen in the text, or if one has to do with others of the file.
func (p part) nodes() ([]*yaml.Node, bool) {
	var document yaml.Node
	if yaml.Unmarshal(p.text, &document) != nil || len(document.Content) != 1 {
		return nil, false
	}
	list := document.Content[0]
	if list.Kind != yaml.SequenceNode || list.Style&yaml.FlowStyle != 0 || len(list.Content) != p.count {
		return nil, false
	}
	return list.Content, p.settle(list)
}

// settle moves nodes to their lines in the file. It reports false if one is an anchor
// or an alias.
func (p part) settle(n *yaml.Node) bool {
	n.Line += p.line
	return n.Kind != yaml.AliasNode && n.Anchor == "" && !slices.ContainsFunc(n.Content, func(child *yaml.Node) bool { return !p.settle(child) })
}

// attach makes the fields of out walk over lists that were cut out of the document.
// It reports false if one does not stand where it was seen.
func (r *Report) attach(lists []cutList, out reflect.Value) bool {
	r.parts = make(map[*yaml.Node][]part)
	for _, list := range lists {
		value := r.emptyAt(list)
		if value == nil || r.failed[list.key] { // which a key is that stands there twice
			return false
		}
		r.parts[value] = list.parts
	}
	for _, list := range lists {
		field, _ := fieldOf(out, list.key)
		field.Addr().Interface().(walked).walk(r, list.key, func(yield func([]*yaml.Node) bool) { r.eachPart(list, yield) })
	}
	return true
}

// emptyAt is the value that a cut left behind, nil if it is not there.
func (r *Report) emptyAt(list cutList) *yaml.Node {
	if r.root == nil || r.root.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(r.root.Content); i += 2 {
		key, value := r.root.Content[i], r.root.Content[i+1]
		if key.Value == list.key && key.Line == list.line && key.Column == 1 && value.Kind == yaml.ScalarNode && value.Value == "" && value.Tag == "!!null" {
			return value
		}
	}
	return nil
}

func (r *Report) eachPart(list cutList, yield func([]*yaml.Node) bool) {
	for _, p := range list.parts {
		nodes, ok := p.nodes()
		if !ok {
			r.torn = true
			return
		}
		for i, n := range nodes {
			nodes[i] = r.expand(list.key+"["+strconv.Itoa(p.first+i)+"]", n)
		}
		if !yield(nodes) {
			return
		}
	}
}

// itemOf is an entry of a list that was cut, for the lines of mistakes.
func (r *Report) itemOf(parts []part, i int) *yaml.Node {
	at := sort.Search(len(parts), func(n int) bool { return parts[n].first > i }) - 1
	if at < 0 {
		return nil
	}
	p := parts[at]
	if r.looked == nil || r.looked.first != p.first || &r.looked.text[0] != &p.text[0] {
		nodes, _ := p.nodes()
		r.looked, r.lookedAt = &p, nodes
	}
	if i -= p.first; i >= len(r.lookedAt) {
		return nil
	}
	aside := Report{failed: make(map[string]bool)} // for what was reported when the entry was handed out
	return aside.expand("", r.lookedAt[i])
}
