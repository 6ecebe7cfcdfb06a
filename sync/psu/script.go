package psu

import (
	"strconv"
	"strings"
)

// The endpoint script of deploy/psu says that it is this one (rule 1.6).
const (
	ScriptName    = "netbox-dhcp-sync"
	ScriptVersion = "2026.11.0"
)

// Rights are what a server's script may do there.
type Rights string

// The rights. A script that does not tell them has none of these.
const (
	RightsNone  Rights = "none"  // Windows denies the script's account everything
	RightsRead  Rights = "read"  // the script has no endpoint that writes
	RightsWrite Rights = "write" // as far as the script is concerned; the token may have less
)

// Health is what the endpoint script says about itself.
type Health struct {
	Version  string // empty: a script before 1.0.0, which cannot tell
	Script   string // whose script it is; empty: it does not say, as the plugin's
	Computer string // name of the Windows computer; empty: not told
	Rights   Rights // empty: not told
	Trouble  string // what Windows said to the script's own look at it; empty: nothing
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
