package strictyaml

import (
	"fmt"
	"iter"
	"reflect"

	"go.yaml.in/yaml/v3"
)

// List is a list at the top of a file that may be long: memory holds some of its
// entries at a time.
type List[T any] struct {
	report *Report
	key    string
	nodes  iter.Seq[[]*yaml.Node] // nil: the file has no such list
}

// All walks over the entries, to be done once: the mistakes of an entry are in the
// Report from when it is handed out.
func (l *List[T]) All() iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		if l.nodes == nil {
			return
		}
		i := 0
		for nodes := range l.nodes {
			for _, n := range nodes {
				var entry T
				l.report.entry(fmt.Sprintf("%s[%d]", l.key, i), n, reflect.ValueOf(&entry).Elem())
				if !yield(i, entry) {
					return
				}
				i++
			}
		}
	}
}

func (l *List[T]) walk(r *Report, key string, nodes iter.Seq[[]*yaml.Node]) {
	l.report, l.key, l.nodes = r, key, nodes
}

// walked is a List of any type.
type walked interface {
	walk(r *Report, key string, nodes iter.Seq[[]*yaml.Node])
}

// walkedKeys are the keys of a struct whose fields are Lists.
func walkedKeys(v reflect.Value) (keys []string) {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if _, ok := v.Field(i).Addr().Interface().(walked); ok {
			keys = append(keys, v.Type().Field(i).Tag.Get("yaml"))
		}
	}
	return keys
}

// list is value for a List whose nodes are all there.
func (r *Report) list(path string, n *yaml.Node, out walked) {
	if n.Kind != yaml.SequenceNode {
		r.add(n.Line, path, "want a list, not "+kindName(n))
		return
	}
	out.walk(r, path, func(yield func([]*yaml.Node) bool) { yield(n.Content) })
}
