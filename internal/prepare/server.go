package prepare

import "github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"

// Server is what the DHCP server with certain settings uses of its NetBox.
type Server struct {
	Reads    []netbox.Table // lists that are followed
	VRF      string         // name or route distinguisher; empty: none is named
	Tags     []string       // of addresses: names or slugs, compared without case
	ServeTag string         // of prefixes, in the same form; empty: none
	// MAC, Expire and Hostname name the custom fields of lease records; an
	// empty name is not used.
	MAC, Expire, Hostname string
	// ReservationMAC and ReservationClientID name the fields of addresses without a
	// device (CL-1); an empty name is not used.
	ReservationMAC, ReservationClientID string
	// ReadsOnly says that NetBox is told of no lease. Made names the custom field of
	// objects that are made for leases; empty: none are made.
	ReadsOnly bool
	Made      string
	// Circuits says that cables are followed (CL-22).
	Circuits bool
}

// Needs is the list of what the server needs.
func (s Server) Needs() []Need {
	needs := []Need{Clock{}}
	for _, table := range s.Reads {
		needs = append(needs, Right{Table: table, Action: "view", Severity: Failure, Object: string(table)})
	}
	late := "deletions cannot be asked for and are found late, by comparing lists"
	if s.Circuits {
		late += "; a cable that changes is seen up to five minutes later, and NetBox is asked for all interfaces that often"
	}
	needs = append(needs,
		Right{Table: netbox.ObjectChanges, Action: "view", Severity: Warning, Object: string(netbox.ObjectChanges), Problem: late})
	if !s.ReadsOnly {
		needs = append(needs, Right{Table: netbox.Addresses, Action: "change", Severity: Failure, Object: "write-back of leases",
			Problem: "the token may not change IP addresses: leases are given, but not shown in NetBox"})
	}
	if s.Made != "" {
		needs = append(needs,
			Right{Table: netbox.Addresses, Action: "add", Severity: Failure, Object: "write-back of leases",
				Problem: "the token may not add IP addresses: leases in ranges are given, but not shown in NetBox"},
			Right{Table: netbox.Addresses, Action: "delete", Severity: Failure, Object: "write-back of leases",
				Problem: "the token may not delete IP addresses: those that are made for leases stay after them"})
	}
	if s.VRF != "" {
		needs = append(needs, VRF{s.VRF})
	}
	for _, name := range s.Tags {
		needs = append(needs, Tag{Name: name, On: []netbox.Table{netbox.Addresses}, Chosen: true})
	}
	if s.ServeTag != "" {
		needs = append(needs, Tag{Name: s.ServeTag, On: []netbox.Table{netbox.Prefixes}, Chosen: true})
	}
	field := func(name, label, description string, types ...string) {
		if name != "" {
			needs = append(needs, Field{Name: name, Types: types, Table: netbox.Addresses, Severity: Failure, Setting: "netbox.fields",
				Made: netbox.Field{Label: label, Description: description}})
		}
	}
	field(s.MAC, "DHCP client", "Hardware address of the last DHCP client", "text", "longtext")
	field(s.Expire, "DHCP lease expiry", "When the DHCP lease ends or ended", "datetime", "text", "longtext")
	field(s.Hostname, "DHCP host name", "Name the last DHCP client gave itself", "text", "longtext")
	field(s.ReservationMAC, "DHCP reservation (MAC)", "MAC of the client that this address is for", "text")
	field(s.ReservationClientID, "DHCP reservation (client identifier)", "Option 61 of the client that this address is for", "text")
	field(s.Made, "Made for a DHCP lease", "The DHCP server made this address for a lease, and deletes it afterwards", "text", "longtext")
	return needs
}
