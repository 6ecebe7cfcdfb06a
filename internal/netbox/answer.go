package netbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) json() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "application/json"
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

var errBodyTooLarge = fmt.Errorf("the answer is larger than %d MB", maxBody>>20)

// readBody reads at most maxBody bytes.
func readBody(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, err
	}
	if n > maxBody {
		return nil, errBodyTooLarge
	}
	return b.Bytes(), nil
}

const maxMessage = 300 // characters of NetBox's words in an error

// message finds NetBox's own words in the body of an answer.
func message(a *answer) string {
	if !a.json() {
		if title := regexp.MustCompile(`(?is)<title>(.*?)</title>`).FindSubmatch(a.body); title != nil {
			return "the page " + Clean(string(title[1]))
		}
		return Clean(string(a.body))
	}
	var said any
	if json.Unmarshal(a.body, &said) != nil {
		return Clean(string(a.body))
	}
	return Clean(strings.Join(sayings(said), "; "))
}

// sayings flattens the shapes NetBox gives its errors: {"detail"}, a map from
// field to messages, a list, the exception of a 500.
func sayings(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var all []string
		for _, entry := range v {
			all = append(all, sayings(entry)...)
		}
		return all
	case map[string]any:
		var all []string
		for _, key := range sortedKeys(v) {
			said := sayings(v[key])
			switch key {
			case "detail", "__all__", "non_field_errors", "error", "errors":
				all = append(all, said...)
			case "netbox_version", "python_version":
			default:
				if len(said) > 0 {
					all = append(all, key+": "+strings.Join(said, ", "))
				}
			}
		}
		return all
	}
	return nil
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// Clean makes foreign text fit for one log line.
func Clean(s string) string {
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == unicode.ReplacementChar
	}), " ")
	if runes := []rune(s); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "..."
	}
	return s
}
