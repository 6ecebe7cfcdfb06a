package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/state"
)

// Format and FormatVersion mark a saved plan. The version rises when a program
// of before would take a file for something else than it says.
const (
	Format        = "netbox-dhcp-sync plan"
	FormatVersion = 1
)

// ErrFormat marks a file that is no plan, or of a version this program does
// not know.
var ErrFormat = errors.New("not a saved plan of this version")

// savedPlan is a plan in a file.
type savedPlan struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	*Plan
}

// JSON is the plan for machines and for later: the same plan is the same
// bytes, and no byte of it steers a terminal. Text that is not UTF-8 is not
// kept as it is. The error is that of a change with a value it may not have.
func (p *Plan) JSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(savedPlan{Format, FormatVersion, p}); err != nil {
		return nil, fmt.Errorf("write plan: %w", err)
	}
	return printable.JSON(out.Bytes()), nil
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

// Parse reads a saved plan. It takes nothing it does not understand: a plan is
// permission to delete. The error is ErrFormat for another kind of file or
// version, and says where the trouble is otherwise.
func Parse(data []byte) (*Plan, error) {
	var head struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("read plan: %w", located(data, err))
	}
	if head.Format != Format || head.Version != FormatVersion {
		return nil, fmt.Errorf("read plan: %w: format %q, version %d; want %q, version %d", ErrFormat, head.Format, head.Version, Format, FormatVersion)
	}
	doc := savedPlan{Plan: new(Plan)}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read plan: %w", located(data, err))
	}
	for i := range doc.Steps {
		s := &doc.Steps[i]
		canonicalise(s.Changes)
		canonicalise(s.Observed)
		if err := s.check(); err != nil {
			return nil, fmt.Errorf("read plan: steps[%d] (%s): %w", i, printable.Text(s.Name), err)
		}
	}
	if err := sameDocument(data, doc.Plan); err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	return doc.Plan, nil
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

// canonicalise undoes the indentation of JSON values.
func canonicalise(changes []Change) {
	for i := range changes {
		for _, v := range []*any{&changes[i].Old, &changes[i].New} {
			if raw, ok := (*v).(json.RawMessage); ok {
				*v = canonjson.Format(raw)
			}
		}
	}
}

// check refuses a step that no plan of this program has.
func (s *Step) check() error {
	switch s.Action {
	case state.Create, state.Update, state.Delete:
	default:
		return fmt.Errorf("action is %q; want %s, %s or %s", s.Action, state.Create, state.Update, state.Delete)
	}
	switch {
	case s.Phase < Records || s.Phase > Reflection:
		return fmt.Errorf("phase is %d; want %d to %d", s.Phase, Records, Reflection)
	case s.Target == "" || s.Kind == "":
		return errors.New("target and kind must not be empty")
	case s.onWindows() == (s.Target == NetBox):
		return fmt.Errorf("kind %s does not exist on target %s", s.Kind, s.Target)
	case s.Target == NetBox && (s.ID > 0) == (s.Action == state.Create):
		return fmt.Errorf("id is %d; a %s has %s", s.ID, s.Action, map[bool]string{true: "none", false: "one above 0"}[s.Action == state.Create])
	}
	if s.Scope != s.Scope.Masked() || s.Scope.Addr().Is4In6() || s.Addr.Is4In6() {
		return fmt.Errorf("scope %s and address %s are not in their usual form", s.Scope, s.Addr)
	}
	for _, c := range slices.Concat(s.Changes, s.Observed) {
		if c.Field == "" {
			return errors.New("a change names no field")
		}
	}
	return nil
}

func (s *Step) onWindows() bool {
	return s.Kind == WindowsScope || s.Kind == WindowsReservation || s.Kind == WindowsExclusion
}

// sameDocument refuses a document that says more, or otherwise, than was
// understood of it: names that are misspelt, values in other forms, a second
// document behind the first.
func sameDocument(data []byte, p *Plan) error {
	understood, err := p.JSON()
	if err != nil {
		return err
	}
	have, err := generic(data)
	if err != nil {
		return err
	}
	want, err := generic(understood)
	if err != nil {
		return err
	}
	if at, differs := firstDifference("", have, want); differs {
		return fmt.Errorf("%s is not as this program writes it", printable.Text(strings.TrimPrefix(at, ".")))
	}
	return nil
}

func generic(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is something behind the plan")
	}
	return v, nil
}

// allKeys has the keys of both.
func allKeys(a, b map[string]any) map[string]any {
	both := maps.Clone(a)
	maps.Copy(both, b)
	return both
}

// firstDifference is the path to where two JSON values differ.
func firstDifference(at string, a, b any) (where string, differs bool) {
	mapA, isMapA := a.(map[string]any)
	mapB, isMapB := b.(map[string]any)
	if isMapA && isMapB {
		for _, k := range slices.Sorted(maps.Keys(allKeys(mapA, mapB))) {
			valueA, inA := mapA[k]
			valueB, inB := mapB[k]
			if inA != inB {
				return at + "." + k, true
			}
			if where, differs = firstDifference(at+"."+k, valueA, valueB); differs {
				return where, true
			}
		}
		return at, false
	}
	listA, isListA := a.([]any)
	listB, isListB := b.([]any)
	if isListA && isListB && len(listA) == len(listB) {
		for i := range listA {
			if where, differs = firstDifference(fmt.Sprintf("%s[%d]", at, i), listA[i], listB[i]); differs {
				return where, true
			}
		}
		return at, false
	}
	return at, !reflect.DeepEqual(a, b)
}
