package strictyaml

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// parseDuration reads Go's notation with whole days in front allowed: 1d12h.
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	total := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return total, nil
	}
	more, err := time.ParseDuration(rest)
	if err != nil {
		return 0, err
	}
	if more < 0 || more > math.MaxInt64-total {
		return 0, errors.New("out of range")
	}
	return total + more, nil
}

// json turns any YAML value into JSON; nil where it has no equal there.
func (r *Report) json(path string, n *yaml.Node) json.RawMessage {
	raw, err := json.Marshal(r.plain(path, n))
	if err != nil {
		r.add(n.Line, path, "cannot be said in JSON: "+err.Error())
		return nil
	}
	return raw
}

// plain turns n into what encoding/json writes. Keys become text, dates stay
// as they are written.
func (r *Report) plain(path string, n *yaml.Node) any {
	switch n.Kind {
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			object[key] = r.plain(join(path, key), n.Content[i+1])
		}
		return object
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, child := range n.Content {
			list[i] = r.plain(path+"["+strconv.Itoa(i)+"]", child)
		}
		return list
	}
	var value any
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool", "!!int", "!!float":
		if err := n.Decode(&value); err != nil {
			r.add(n.Line, path, "want a value JSON has, not "+kindName(n))
			return nil
		}
		if f, ok := value.(float64); ok && (math.IsInf(f, 0) || math.IsNaN(f)) {
			r.add(n.Line, path, "JSON has no "+n.Value)
			return nil
		}
		return value
	}
	return n.Value
}
