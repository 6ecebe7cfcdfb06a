package endpoint

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// The endpoint script of deploy/psu says that it is this one (rule 1.6).
const (
	ScriptName    = "netbox-dhcp-sync"
	ScriptVersion = "2026.11.1"
)

// Rights are what a server's script may do there.
type Rights string

// The rights. A script that does not tell them has none of these.
const (
	RightsNone  Rights = "none"  // Windows denies the script's account everything
	RightsRead  Rights = "read"  // the script has no endpoint that writes
	RightsWrite Rights = "write" // as far as the script is concerned; the token or account may have less
)

// Health is what the endpoint script says about itself.
type Health struct {
	Version  string // empty: a script before 1.0.0, which cannot tell
	Script   string // whose script it is; empty: it does not say, as the plugin's
	Computer string // name of the Windows computer; empty: not told
	Rights   Rights // empty: not told
	Trouble  string // what Windows said to the script's own look at it; empty: nothing
	// Calls are those that not each version of our script has (rule 1.6).
	Calls []string
}

// Ours reports whether the script is that of deploy/psu, which says so since
// its version 2026.11.0.
func (h Health) Ours() bool { return h.Script == ScriptName }

// Lists reports whether the script has the calls of rule 1.9: lists of
// reservations, and the options and exclusions of all scopes at once.
func (h Health) Lists() bool {
	if h.Ours() {
		return true
	}
	major, _, _ := strings.Cut(h.Version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 2
}

// callOptions is the call that sets options of scopes, as the script names it.
const callOptions = "options"

// SetsOptions reports whether the script can set options of scopes (rule 1.9). That
// of the plugin is not asked to: it does not tell options of classes and policies
// apart, and hides it where one could not be set.
func (h Health) SetsOptions() bool { return h.Ours() && slices.Contains(h.Calls, callOptions) }

// SetsOptions reports whether the server said at the last Health that it can.
func (c *Client) SetsOptions() bool {
	said := c.said.Load()
	return said != nil && said.SetsOptions()
}

// Lists reports whether the server said at the last Health that it has the
// calls of rule 1.9.
func (c *Client) Lists() bool {
	said := c.said.Load()
	return said != nil && said.Lists()
}

// noSuchCall reports whether an error may mean that the script does not have the
// call: PowerShell Universal answers 401 for paths it does not know (rule 1.5).
func noSuchCall(err error) bool {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.entry {
		return false
	}
	switch e.Status {
	case http.StatusUnauthorized, http.StatusNotFound, http.StatusMethodNotAllowed:
		return true
	}
	return false
}

// either makes a change by the call the server is known to have. Where it does not
// have that one, which then changed nothing, the other is tried (rule 1.9).
func (c *Client) either(lists, single func() error) error {
	first, second := single, lists
	if c.Lists() {
		first, second = lists, single
	}
	err := first()
	if !noSuchCall(err) {
		return err
	}
	if other := second(); !noSuchCall(other) {
		return other
	}
	return err
}
