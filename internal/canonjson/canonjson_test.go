package canonjson

import (
	"encoding/json"
	"testing"
)

func TestOneDocumentHasOneSpelling(t *testing.T) {
	for in, want := range map[string]string{
		`{"b": [1, 2.50], "a": null}`: `{"a":null,"b":[1,2.50]}`,
		`12345678901234567890`:        `12345678901234567890`, // numbers keep their digits
		` "x" `:                       `"x"`,
		`{"a":`:                       `{"a":`, // no document comes back as it is
		``:                            ``,
	} {
		if got := string(Format(json.RawMessage(in))); got != want {
			t.Errorf("Format(%s) = %s, want %s", in, got, want)
		}
	}
	if !Equal(json.RawMessage(`{"a":1,"b":[]}`), json.RawMessage(`{ "b":[ ], "a":1 }`)) || Equal(json.RawMessage(`[1,2]`), json.RawMessage(`[2,1]`)) {
		t.Error("documents are not compared by what they say")
	}
	if got := string(Of([]string{"<a>"})); got != `["\u003ca\u003e"]` {
		t.Errorf("Of gives %s", got)
	}
}

func FuzzFormat(f *testing.F) {
	f.Add([]byte(`{"b":[1,{"c":null}],"a":"\u2028"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		once := Format(data)
		if json.Valid(data) && !Equal(data, once) || string(Format(once)) != string(once) {
			t.Errorf("%q becomes %q", data, once)
		}
	})
}
