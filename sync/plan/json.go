package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// Format and FormatVersion mark a saved plan. The version rises when a program
// of before would take a file for something else than it says.
const (
	Format        = "netbox-dhcp-sync plan"
	FormatVersion = 1
)

// maxFile is the size in bytes of the largest file that is read as a plan: 256 MiB.
const maxFile = 256 << 20

// ErrFormat marks a file that is no plan, or of a version this program does
// not know.
var ErrFormat = errors.New("not a saved plan of this version")

// head is what tells that a file is a plan, and whether its steps are those
// that were saved.
type head struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Digest  string `json:"digest"`
}

// JSON is the plan for machines and for later: the same plan is the same
// bytes, and no byte of it steers a terminal. Text that is not UTF-8 is not
// kept as it is. The error is that of a change with a value it may not have.
func (p *Plan) JSON() ([]byte, error) {
	digest, err := p.Digest()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err = e.Encode(struct {
		head
		*Plan
	}{head{Format, FormatVersion, digest}, p})
	if err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return printable.JSON(out.Bytes()), nil
}

// Digest identifies the steps of a plan: two plans with the same digest do the
// same. It leaves out notes and counts. The error is that of a change with a
// value it may not have.
func (p *Plan) Digest() (string, error) {
	steps, err := json.Marshal(p.Steps)
	if err != nil {
		return "", fmt.Errorf("write plan: %w", err)
	}
	return digest(steps), nil
}

func digest(steps json.RawMessage) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(canonjson.Format(steps)))
}

// MarshalJSON writes a change so that UnmarshalJSON reads the same values.
func (c Change) MarshalJSON() ([]byte, error) {
	var raw struct {
		Field string          `json:"field"`
		Old   json.RawMessage `json:"old"`
		New   json.RawMessage `json:"new"`
	}
	var errOld, errNew error
	raw.Field = c.Field
	raw.Old, errOld = rawValue(c.Old)
	raw.New, errNew = rawValue(c.New)
	if err := errors.Join(errOld, errNew); err != nil {
		return nil, fmt.Errorf("field %s: %w", c.Field, err)
	}
	return json.Marshal(raw)
}

func rawValue(v any) (json.RawMessage, error) {
	switch v := v.(type) {
	case json.RawMessage:
		if len(v) == 0 {
			return json.RawMessage("null"), nil
		}
		return canonjson.Format(v), nil
	case nil, string, bool, int64:
		return json.Marshal(v)
	}
	return nil, fmt.Errorf("a change cannot hold a %T", v)
}

// UnmarshalJSON reads a change of a saved plan back to the same values.
func (c *Change) UnmarshalJSON(data []byte) error {
	var raw struct {
		Field    string
		Old, New json.RawMessage
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	var errOld, errNew error
	c.Field = raw.Field
	c.Old, errOld = value(raw.Old)
	c.New, errNew = value(raw.New)
	return errors.Join(errOld, errNew)
}

func value(raw json.RawMessage) (any, error) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 {
		return nil, nil
	}
	if raw[0] == '{' || raw[0] == '[' {
		return canonjson.Format(raw), nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if n, ok := v.(json.Number); ok {
		return n.Int64()
	}
	return v, nil
}

// ReadFile reads a saved plan from a file of at most 256 MiB. The error names
// the file; see Parse.
func ReadFile(path string) (*Plan, error) {
	file, err := os.Open(path) //nolint:gosec // G304: the operator names the file
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	data, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read plan: %s is too large for one", path)
	}
	p, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// Parse reads a saved plan. Its steps are never carried out: a run makes its own
// plan and carries that out only if both have the same digest. So Parse checks
// the digest and nothing else about the steps. The error is ErrFormat for
// another kind of file or version, and says where the trouble is otherwise.
func Parse(data []byte) (*Plan, error) {
	var doc struct {
		head
		Steps json.RawMessage `json:"steps"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("read plan: %w", located(data, err))
	}
	switch {
	case doc.Format != Format || doc.Version != FormatVersion:
		return nil, fmt.Errorf("read plan: %w: format %q, version %d; want %q, version %d", ErrFormat, doc.Format, doc.Version, Format, FormatVersion)
	case doc.Digest == "":
		return nil, errors.New("read plan: the file has no digest, as an earlier version of this program saved it: make a new plan")
	case doc.Digest != digest(doc.Steps):
		return nil, errors.New("read plan: the steps are not those that were saved: make a new plan")
	}
	p := new(Plan)
	if err := json.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("read plan: %w", located(data, err))
	}
	return p, nil
}

// located adds the line to an error of package json that knows its place.
func located(data []byte, err error) error {
	offset := int64(-1)
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		offset = syntax.Offset
	} else if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		offset = wrong.Offset
	}
	if offset < 0 || offset > int64(len(data)) {
		return err
	}
	return fmt.Errorf("line %d: %w", 1+bytes.Count(data[:offset], []byte("\n")), err)
}
