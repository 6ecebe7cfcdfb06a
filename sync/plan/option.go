package plan

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/canonjson"
)

const optionPrefix = "option_"

// OptionField names an option of a scope in a change of a WindowsOption. Its values are
// lists of texts.
func OptionField(code int) string { return optionPrefix + strconv.Itoa(code) }

// OptionCode is the option that such a field names; false: it names none that belongs
// to a step of its own. Router and lease time are fields of the scope.
func OptionCode(field string) (int, bool) {
	digits, ok := strings.CutPrefix(field, optionPrefix)
	code, err := strconv.Atoi(digits)
	return code, ok && err == nil && code > 0 && code < 255 && code != 3 && code != 51
}

// OptionList is one side of such a change; nil: none.
func OptionList(values []string) any {
	if len(values) == 0 {
		return nil
	}
	return canonjson.Of(values)
}

// OptionValues are the texts of one side of such a change; nil: none.
func OptionValues(v any) (values []string) {
	raw, _ := v.(json.RawMessage)
	if json.Unmarshal(raw, &values) != nil {
		return nil
	}
	return values
}
