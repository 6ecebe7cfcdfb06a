package psutest

import "fmt"

// Example is a small office's server: an active scope with clients, a guest
// scope, one that is not in use any more, and options of every kind.
func Example(name string) World {
	office := &Scope{
		ID: "10.8.4.0", Mask: "255.255.255.0", Name: "Office", Start: "10.8.4.20", End: "10.8.4.250",
		LeaseSeconds: 691200, Routers: []string{"10.8.4.1", "10.8.4.2"},
		Reservations: []*Reservation{
			{IP: "10.8.4.60", ClientID: "3c-52-82-0a-1b-60", Name: "mfp-2", Description: "printer's room"},
			{IP: "10.8.4.61", ClientID: "3c-52-82-0a-1b-61", Name: "cam-1", Type: "Dhcp"},
		},
		Exclusions: []Exclusion{{"10.8.4.20", "10.8.4.29"}, {"10.8.4.240", "10.8.4.250"}},
		Options: []*Option{
			{Code: 6, Name: "DNS Servers", Values: []string{"10.1.1.1", "10.1.1.2"}, Type: "IPv4Address"},
			{Code: 15, Name: "DNS Domain Name", Values: []string{"corp.example"}},
			{Code: 1, Name: "Microsoft Disable Netbios Option", Values: []string{"2"}, Type: "DWord", VendorClass: "Microsoft Windows 2000 Options"},
		},
		Leases: []*Lease{{IP: "10.8.4.60", ClientID: "3c-52-82-0a-1b-60", Hostname: "mfp-2.corp.example"}},
	}
	for i := range 12 {
		office.Leases = append(office.Leases, &Lease{
			IP: fmt.Sprintf("10.8.4.%d", 100+i), ClientID: fmt.Sprintf("3c-52-82-0a-1c-%02x", i),
			Hostname: fmt.Sprintf("PC-%02d.corp.example", i), Expiry: "2026-07-01T09:30:00Z",
		})
	}
	return World{
		Name: name,
		Scopes: []*Scope{
			office,
			{
				ID: "10.8.6.0", Mask: "255.255.255.128", Name: "Guest", Start: "10.8.6.10", End: "10.8.6.99", Description: "Guest Wi-Fi",
				LeaseSeconds: 28800, Routers: []string{"10.8.6.1"},
				Leases: []*Lease{{IP: "10.8.6.10", ClientID: "02-00-5e-10-00-01", Hostname: "Anna's phone", Expiry: "2026-06-23T16:00:00Z"}},
			},
			{ID: "10.9.0.0", Mask: "255.255.254.0", Name: "Old lab", Start: "10.9.0.10", End: "10.9.1.250", State: "Inactive", LeaseSeconds: 86400},
		},
		ServerOptions: []*Option{{Code: 42, Name: "NTP Servers", Values: []string{"10.1.1.3"}, Type: "IPv4Address"}},
	}
}
