package endpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/windhcp"
)

var (
	errBlank   = errors.New("the answer is blank")
	errNotJSON = errors.New("the answer is no JSON")
)

// maxMalformed bounds how many unusable entries of a list are described.
const maxMalformed = 20

// trim takes off a byte order mark and blanks.
func trim(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf")))
}

// blank reports whether an answer has no content: PowerShell Universal gives
// such an answer with 200 when an endpoint breaks (rule 1.4 quirk 2).
func blank(body []byte) bool { return len(body) == 0 || string(body) == "null" }

// object reads an answer that is one object, with its keys as sent.
func object(body []byte) (map[string]json.RawMessage, error) {
	if blank(body) {
		return nil, errBlank
	}
	if body[0] != '{' && body[0] != '[' {
		return nil, errNotJSON
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal(body, &out); err != nil {
		return nil, fmt.Errorf("decode the answer: %w", err)
	}
	if raw, ok := out["error"]; ok && len(out) == 1 {
		return nil, fmt.Errorf("the answer is the error %s", rest.Clean(string(raw), rest.MaxWords))
	}
	return out, nil
}

// entries takes a list apart in each shape that PowerShell gives it: an array, one
// bare object, or {"value":[...],"Count":n} (rule 1.4 quirk 1). known
// reports whether a bare object is an entry of such a list.
func entries(body []byte, known func(*record) bool) ([]json.RawMessage, error) {
	if blank(body) {
		return nil, errBlank
	}
	if body[0] == '[' {
		var out []json.RawMessage
		if err := json.Unmarshal(body, &out); err != nil {
			return nil, fmt.Errorf("decode the answer: %w", err)
		}
		return out, nil
	}
	fields, err := object(body)
	if err != nil {
		return nil, err
	}
	if list, err := wrapped(fields); list != nil || err != nil {
		return list, err
	}
	if !known(newRecord(fields)) {
		return nil, errors.New("the answer is an object that is no entry of this list")
	}
	return []json.RawMessage{body}, nil
}

// wrapped unpacks {"value":[...],"Count":n}; nil if fields are something else.
func wrapped(fields map[string]json.RawMessage) ([]json.RawMessage, error) {
	raw, ok := fields["value"]
	for key := range fields {
		if key != "value" && !strings.EqualFold(key, "count") {
			ok = false
		}
	}
	if !ok {
		return nil, nil
	}
	list := []json.RawMessage{}
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return nil, errors.New("the answer wraps something that is no list")
	}
	record := newRecord(fields)
	if n := record.number("count"); record.has("count") && n != int64(len(list)) {
		return nil, fmt.Errorf("the answer wraps %d entries and counts %d", len(list), n)
	}
	return list, nil
}

// decodeList reads every entry; those it cannot use are described in Malformed.
func decodeList[T any](body []byte, identity []string, decode func(*record) T) windhcp.List[T] {
	raw, err := entries(body, func(r *record) bool { return r.has(identity...) })
	if err != nil {
		return windhcp.List[T]{Err: err}
	}
	list := windhcp.List[T]{Items: make([]T, 0, len(raw))}
	var wrong complaints
	for i, one := range raw {
		item, err := decodeEntry(one, decode)
		if err != nil {
			wrong.add(i, err)
			continue
		}
		list.Items = append(list.Items, item)
	}
	list.Malformed = wrong.texts()
	return list
}

func decodeEntry[T any](raw json.RawMessage, decode func(*record) T) (T, error) {
	var none T
	r, err := readRecord(raw)
	if err != nil {
		return none, err
	}
	item := decode(r)
	if err := r.err(); err != nil {
		return none, err
	}
	return item, nil
}

// complaints collects what is wrong with the entries of one list.
type complaints struct {
	first []string
	more  int
}

func (c *complaints) add(index int, err error) {
	if len(c.first) == maxMalformed {
		c.more++
		return
	}
	c.first = append(c.first, fmt.Sprintf("entry %d: %v", index+1, err))
}

func (c *complaints) texts() []string {
	if c.more == 0 {
		return c.first
	}
	return append(c.first, fmt.Sprintf("and %d more", c.more))
}
