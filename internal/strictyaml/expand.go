package strictyaml

import (
	"fmt"

	"go.yaml.in/yaml/v3"
)

// maxCopies bounds what aliases may unfold to: a few lines of aliases of
// aliases would otherwise fill the memory.
const maxCopies = 100_000

// expander replaces aliases by what they stand for.
type expander struct {
	report  *Report
	open    map[*yaml.Node]bool // the nodes around the one being unfolded
	aliases int                 // how many of them are aliases
	copies  int                 // nodes made below aliases
}

// expand returns the tree under n, which stands at path, without aliases and merge keys, reporting
// repeated keys, keys that are no plain text, and aliases without end. The
// parsed tree is left alone.
func (r *Report) expand(path string, n *yaml.Node) *yaml.Node {
	e := &expander{report: r, open: make(map[*yaml.Node]bool)}
	return e.node(path, n)
}

func (e *expander) node(path string, n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.ScalarNode && e.aliases == 0 && e.copies <= maxCopies {
		return n
	}
	if e.aliases > 0 && e.copies <= maxCopies {
		e.copies++
		if e.copies > maxCopies {
			e.report.add(n.Line, path, fmt.Sprintf("aliases unfold to more than %d values", maxCopies))
		}
	}
	if e.copies > maxCopies {
		return nothing(n)
	}
	e.open[n] = true
	defer delete(e.open, n)
	switch n.Kind {
	case yaml.AliasNode:
		if e.open[n.Alias] {
			e.report.add(n.Line, path, fmt.Sprintf("alias *%s contains itself", n.Value))
			return nothing(n)
		}
		e.aliases++
		defer func() { e.aliases-- }()
		return e.node(path, n.Alias)
	case yaml.MappingNode:
		return e.mapping(path, n)
	case yaml.SequenceNode:
		list := *n
		list.Content = make([]*yaml.Node, len(n.Content))
		for i, child := range n.Content {
			list.Content[i] = e.node(fmt.Sprintf("%s[%d]", path, i), child)
		}
		return &list
	}
	return n
}

// nothing stands where n cannot be unfolded.
func nothing(n *yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Line: n.Line}
}

// mapping unfolds the values of a mapping. Keys of its own win over merged
// ones, earlier merged ones over later.
func (e *expander) mapping(path string, n *yaml.Node) *yaml.Node {
	result := *n
	result.Content = make([]*yaml.Node, 0, len(n.Content))
	seen := make(map[string]int, len(n.Content)/2)
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		for key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		if key.Kind != yaml.ScalarNode {
			e.report.add(n.Content[i].Line, path, "a key must be plain text, not "+kindName(key))
			continue
		}
		child := join(path, key.Value)
		if key.ShortTag() == "!!merge" {
			merged = append(merged, e.merged(child, e.node(child, value))...)
			continue
		}
		if line, repeated := seen[key.Value]; repeated {
			e.report.add(n.Content[i].Line, child, fmt.Sprintf("repeated; it stands on line %d already", line))
			continue
		}
		seen[key.Value] = n.Content[i].Line
		result.Content = append(result.Content, key, e.node(child, value))
	}
	for i := 0; i+1 < len(merged); i += 2 {
		if name := merged[i].Value; seen[name] == 0 {
			seen[name] = merged[i].Line
			result.Content = append(result.Content, merged[i], merged[i+1])
		}
	}
	return &result
}

// merged returns keys and values of what a merge key names: a mapping or a
// list of them.
func (e *expander) merged(path string, value *yaml.Node) []*yaml.Node {
	switch value.Kind {
	case yaml.MappingNode:
		return value.Content
	case yaml.SequenceNode:
		var all []*yaml.Node
		for _, child := range value.Content {
			all = append(all, e.merged(path, child)...)
		}
		return all
	}
	e.report.add(value.Line, path, "want a mapping to merge, not "+kindName(value))
	return nil
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// kindName says in a reader's words what n is.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	if n.ShortTag() == "!!null" {
		return "nothing"
	}
	return fmt.Sprintf("%.40q", n.Value)
}
