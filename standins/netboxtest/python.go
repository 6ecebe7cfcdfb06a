package netboxtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// pythonType names a decoded JSON value's type as Python does, for error texts.
func pythonType(v any) string {
	switch x := v.(type) {
	case nil:
		return "NoneType"
	case string:
		return "str"
	case bool:
		return "bool"
	case json.Number:
		if _, err := x.Int64(); err == nil {
			return "int"
		}
		return "float"
	case []any:
		return "list"
	}
	return "dict"
}

// pythonRepr writes a decoded value as Python's repr does.
func pythonRepr(v any) string {
	var parts []string
	switch x := v.(type) {
	case nil:
		return "None"
	case string:
		return "'" + x + "'"
	case bool:
		return capital(strconv.FormatBool(x))
	case []any:
		for _, item := range x {
			parts = append(parts, pythonRepr(item))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			parts = append(parts, pythonRepr(k)+": "+pythonRepr(x[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return fmt.Sprint(v)
}

// pythonValue writes a decoded value as Python's str does.
func pythonValue(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return pythonRepr(v)
}
