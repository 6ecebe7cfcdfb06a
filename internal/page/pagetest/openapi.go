package pagetest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// API is the description of what a program answers to programs.
type API struct {
	doc      any
	compiler *jsonschema.Compiler
}

// OpenAPI reads a description. Its schemas are JSON Schema, as OpenAPI 3.1 has it.
func OpenAPI(tb testing.TB, text []byte) *API {
	tb.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	if version, _ := doc.(map[string]any)["openapi"].(string); !strings.HasPrefix(version, "3.1.") {
		tb.Fatalf("OpenAPI %s", version)
	}
	a := &API{doc: doc, compiler: jsonschema.NewCompiler()}
	a.compiler.AssertFormat()
	if err := a.compiler.AddResource("openapi.json", doc); err != nil {
		tb.Fatal(err)
	}
	return a
}

// Paths are the paths that are described, in order.
func (a *API) Paths() []string {
	paths, _ := a.doc.(map[string]any)["paths"].(map[string]any)
	return slices.Sorted(maps.Keys(paths))
}

// Check holds an answer against what is described for its path and code.
func (a *API) Check(tb testing.TB, path string, code int, header http.Header, body []byte) {
	tb.Helper()
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D").Replace
	schema, err := a.compiler.Compile(fmt.Sprintf("openapi.json#/paths/%s/get/responses/%d/content/%s/schema", escape(path), code, escape(kind)))
	if err != nil {
		tb.Errorf("%s answers %d with %s, which is not described: %v", path, code, kind, err)
		return
	}
	if kind != "application/json" {
		return
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err == nil {
		err = schema.Validate(value)
	}
	if err != nil {
		var shown bytes.Buffer
		_ = json.Indent(&shown, body, "", " ")
		tb.Errorf("%s: %v\n%.2000s", path, err, shown.String())
	}
}
