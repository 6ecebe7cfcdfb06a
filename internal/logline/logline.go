// Package logline writes log entries as lines: one entry is one line, as text
// or as JSON, and no text from outside can end a line, begin another or steer a
// terminal (B-7). It also keeps the log file. It must not choose what is logged.
package logline

import (
	"bytes"
	"encoding"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

// maxValue is how many bytes of one value are written. journald cuts lines at
// 48 KiB, and what follows the cut would be a line of its own.
const maxValue = 4096

// Formatter formats entries of logrus. The zero value writes text:
// time="..." level=info msg="..." and the fields by name.
type Formatter struct {
	JSON bool
}

// Use makes log write its lines safely. A logger of another kind than logrus'
// own stays as it is.
func Use(log logrus.FieldLogger) {
	switch l := log.(type) {
	case *logrus.Logger:
		l.SetFormatter(Formatter{})
	case *logrus.Entry:
		l.Logger.SetFormatter(Formatter{})
	}
}

// Format returns the line of an entry, with its line end. It never fails: a
// value that has no other form is written as fmt does.
func (f Formatter) Format(e *logrus.Entry) ([]byte, error) {
	if f.JSON {
		return document(e)
	}
	var b bytes.Buffer
	pair(&b, "time", e.Time.Format(time.RFC3339))
	pair(&b, "level", e.Level.String())
	pair(&b, "msg", bounded(e.Message))
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		pair(&b, fieldName(name), bounded(fmt.Sprint(plain(e.Data[name]))))
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// pair writes name=value; a value with anything but letters, digits, hyphens
// and dots stands between quotes.
func pair(b *bytes.Buffer, name, value string) {
	if b.Len() > 0 {
		b.WriteByte(' ')
	}
	if !bare(strings.ReplaceAll(name, "_", "")) {
		name = quote(name)
	}
	b.WriteString(name + "=")
	if value != "" && bare(value) {
		b.WriteString(value)
		return
	}
	b.WriteString(quote(value))
}

func bare(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '.' {
			return false
		}
	}
	return true
}

// quote is strconv.Quote, which escapes all that does not print: controls of
// both sets, marks of direction, bytes that are no UTF-8.
func quote(s string) string { return strconv.Quote(s) }

// bounded cuts a value that is too long, between two characters.
func bounded(s string) string {
	if len(s) <= maxValue {
		return s
	}
	end := maxValue
	for end > maxValue-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "..."
}

// fieldName keeps a field from passing for one of the three that every line has.
func fieldName(name string) string {
	switch name {
	case "time", "level", "msg":
		return "fields." + name
	}
	return name
}

// plain is a value as both forms write it: numbers and booleans as they are,
// all else as text.
func plain(value any) any {
	switch v := value.(type) {
	case string, bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return v
	case []byte:
		return string(v)
	}
	return text(value)
}

// text never panics: fmt recovers from methods of a nil pointer, and so must
// this.
func text(value any) (s string) {
	defer func() {
		if recover() != nil {
			s = fmt.Sprintf("%T", value)
		}
	}()
	switch v := value.(type) {
	case error, fmt.Stringer:
		return fmt.Sprint(v)
	case encoding.TextMarshaler:
		if t, err := v.MarshalText(); err == nil {
			return string(t)
		}
	}
	return fmt.Sprintf("%+v", value)
}

func document(e *logrus.Entry) ([]byte, error) {
	fields := map[string]any{
		"time": e.Time.Format(time.RFC3339Nano), "level": e.Level.String(), "msg": bounded(e.Message),
	}
	for name, value := range e.Data {
		v := plain(value)
		if s, ok := v.(string); ok {
			v = bounded(s)
		}
		fields[strings.ToValidUTF8(fieldName(name), "\ufffd")] = v
	}
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(fields); err != nil { // a number that JSON lacks
		for name, v := range fields {
			fields[name] = fmt.Sprint(v)
		}
		b.Reset()
		if err := encoder.Encode(fields); err != nil {
			return nil, err
		}
	}
	return printable.JSON(b.Bytes()), nil
}
