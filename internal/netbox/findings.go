package netbox

import (
	"fmt"
)

// Severity ranks findings.
type Severity uint8

// The severities. A Failure keeps a feature from working; a Warning will hurt
// later or in some cases; a Notice is good to know.
const (
	Notice Severity = iota + 1
	Warning
	Failure
)

// String gives the word shown before a finding.
func (s Severity) String() string {
	switch s {
	case Notice:
		return "notice"
	case Warning:
		return "warning"
	case Failure:
		return "failure"
	}
	return "unknown"
}

// Finding is something about a NetBox that does not suit us.
type Finding struct {
	Severity Severity
	Object   string // "custom field pydhcp_expire"
	Problem  string
	Fix      string // what to do about it; may be empty
}

// String is the finding in one line.
func (f Finding) String() string {
	line := fmt.Sprintf("%s: %s: %s", f.Severity, f.Object, f.Problem)
	if f.Fix != "" {
		line += "; " + f.Fix
	}
	return line
}

// Requirements are what a server with certain settings needs of its NetBox.
type Requirements struct {
	VRF    string   // name or route distinguisher; empty: none
	Tags   []string // names or slugs, compared without case
	Fields []FieldNeed
	Write  bool // records are written back
}

// FieldNeed is a custom field that is used.
type FieldNeed struct {
	Name        string
	Types       []string // usable types; bootstrap makes the first
	ObjectType  string   // "ipam.ipaddress"
	Label       string   // for bootstrap, as is all below
	Description string

	group    string      // that the field is shown in
	weight   int         // order within the group; 0: NetBox's own
	search   *int        // search weight, 0: not searched; nil: NetBox's own
	loose    bool        // filters find parts of the value
	choices  [][2]string // of a selection: values and labels
	conflict string      // what to do about a field of another type; empty: see needField
}

// Needs lists the custom fields of lease records.
func (f Fields) Needs() []FieldNeed {
	var needs []FieldNeed
	add := func(name, label, description string, types ...string) {
		if name != "" {
			needs = append(needs, FieldNeed{Name: name, Types: types, ObjectType: addresses.model(), Label: label, Description: description})
		}
	}
	add(f.MAC, "DHCP client", "Hardware address of the last DHCP client", "text", "longtext")
	add(f.Expire, "DHCP lease expiry", "When the DHCP lease ends or ended", "datetime", "text", "longtext")
	add(f.Hostname, "DHCP host name", "Name the last DHCP client gave itself", "text", "longtext")
	return needs
}
