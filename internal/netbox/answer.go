package netbox

import (
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// answer is a complete response.
type answer struct {
	status int
	header http.Header
	body   []byte
	sent   rest.Answer // takes the token out of words; zero for a part of an answer
}

func (a *answer) json() bool {
	kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type"))
	return kind == "application/json"
}

func jsonHeader() http.Header { return http.Header{"Content-Type": {"application/json"}} }

// message finds NetBox's own words in the body of an answer.
func message(a *answer) string {
	if !a.json() {
		if title := rest.Title(a.body); title != "" {
			return "the page " + a.sent.Words(title)
		}
		return a.sent.Words(string(a.body))
	}
	var said any
	if json.Unmarshal(a.body, &said) != nil {
		return a.sent.Words(string(a.body))
	}
	return a.sent.Words(strings.Join(sayings(said), "; "))
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

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
