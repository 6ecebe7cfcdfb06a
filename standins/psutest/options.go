package psutest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
)

// setsOptions reports whether the script can set options of a scope (rule 1.9).
func (s *Server) setsOptions() bool { return s.own() && s.script() != OwnBefore }

// setOptions sets values that every client of a scope gets: all of a list or nothing.
func (c *request) setOptions() reply {
	s := c.w.Scope(c.param)
	switch {
	case s == nil:
		return c.scopeNotFound()
	case len(c.items) == 0:
		return c.refuse(http.StatusBadRequest, "input", "options", "the options are not a list with something in it")
	}
	changed := *s
	changed.Options = slices.Clone(s.Options)
	if out, ok := c.putOptions(&changed, c.items); !ok {
		return out
	}
	s.Options = changed.Options
	return c.optionList(c.options(s))
}

// newOptions sets the options that a new scope is asked for with; scripts without the
// call ignore the key.
func (c *request) newOptions(s *Scope) (reply, bool) {
	raw, sent := c.in["options"]
	if !sent || !c.setsOptions() {
		return reply{}, true
	}
	var items []map[string]any
	if err := json.Unmarshal(marshal(raw), &items); err != nil || len(items) == 0 {
		return c.refuse(http.StatusBadRequest, "input", "options", "the options are not a list with something in it"), false
	}
	return c.putOptions(s, items)
}

func (c *request) putOptions(s *Scope, items []map[string]any) (reply, bool) {
	seen := make(map[int]bool)
	for _, item := range items {
		code, _ := item["code"].(float64)
		list, _ := item["value"].([]any)
		o := &Option{Code: int(code)}
		for _, v := range list {
			text, isText := v.(string)
			if !isText || text == "" {
				return c.refuse(http.StatusBadRequest, "input", "value", "value is not a list of texts"), false
			}
			o.Values = append(o.Values, text)
		}
		switch {
		case float64(o.Code) != code || o.Code < 1 || o.Code > 254 || o.Code == 3 || o.Code == 51 || seen[o.Code]:
			return c.refuse(http.StatusBadRequest, "input", "code", "code is not that of an option to set, or is there twice"), false
		case len(list) == 0:
			return c.refuse(http.StatusBadRequest, "input", "value", "value is not a list of texts"), false
		}
		seen[o.Code] = true
		if o.Type = c.typeOf(o.Code); o.Type == "" {
			return c.refuse(http.StatusInternalServerError, "DHCP 20010", "The parameter is incorrect.", "Failed to get definition %d on DHCP server.", o.Code), false
		}
		if problem := o.store(); problem != "" {
			return c.refuse(http.StatusBadRequest, "input", "value", "%s", problem), false
		}
		if problem := s.put(o); problem != "" {
			return c.refuse(http.StatusInternalServerError, "classes", "code", "%s", problem), false
		}
	}
	return reply{}, true
}

// put sets the value that every client gets.
func (s *Scope) put(o *Option) string {
	for i, have := range s.Options {
		switch {
		case have.Code != o.Code || have.VendorClass != "":
		case have.UserClass != "" || have.Policy != "":
			return fmt.Sprintf("option %d has values for a user class or a policy", o.Code)
		default:
			o.Name = have.Name
			s.Options[i] = o
			return ""
		}
	}
	s.Options = append(s.Options, o)
	return ""
}

// typeOf is the type of a definition: as an option of the server shows it, else as
// Windows has it; empty: there is none.
func (c *request) typeOf(code int) string {
	all := slices.Clone(c.w.ServerOptions)
	for _, s := range c.w.Scopes {
		all = append(all, s.Options...)
	}
	for _, o := range all {
		if o.Code == code && o.VendorClass == "" {
			return cmp.Or(o.Type, "String")
		}
	}
	return map[int]string{
		4: "IPv4Address", 5: "IPv4Address", 6: "IPv4Address", 42: "IPv4Address", 44: "IPv4Address", 26: "Word", 46: "Byte", 58: "DWord", 59: "DWord",
		12: "String", 15: "String", 66: "String", 67: "String", 43: "BinaryData", 252: "String",
	}[code]
}

// store makes of values what Windows keeps, and says why it keeps none; empty: it
// does. A byte comes back in hexadecimal.
func (o *Option) store() string {
	bits := map[string]int{"Byte": 8, "Word": 16, "DWord": 32}[o.Type]
	for i, v := range o.Values {
		switch {
		case o.Type == "IPv4Address":
			if addr, err := netip.ParseAddr(v); err != nil || !addr.Is4() {
				return "value is not an IPv4 address"
			}
		case bits > 0:
			n, err := strconv.ParseUint(v, 10, bits)
			if err != nil {
				return "value is not a number of type " + o.Type
			}
			if o.Type == "Byte" {
				o.Values[i] = "0x" + strconv.FormatUint(n, 16)
			}
		case o.Type != "String":
			return "options of type " + o.Type + " are not set here"
		case len(o.Values) > 1:
			return "the option takes one value"
		}
	}
	return ""
}
