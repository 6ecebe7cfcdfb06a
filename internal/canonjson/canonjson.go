// Package canonjson gives each JSON document one spelling, so that documents
// can be compared. It must not know what the documents mean.
package canonjson

import (
	"bytes"
	"encoding/json"
)

// Format spells a document in one way: keys sorted, no blanks, numbers with
// their digits. What is no JSON document comes back as it is.
func Format(raw json.RawMessage) json.RawMessage {
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return raw
	}
	out, err := json.Marshal(v)
	if err != nil {
		return raw
	}
	return out
}

// Equal reports whether two documents say the same.
func Equal(a, b json.RawMessage) bool { return bytes.Equal(Format(a), Format(b)) }

// Of writes a value as a document. It panics on a value that JSON cannot hold,
// such as a channel.
func Of(v any) json.RawMessage {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}
