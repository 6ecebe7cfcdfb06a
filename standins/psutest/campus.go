package psutest

import (
	"fmt"
	"time"
)

// Campus is a server with many scopes of up to 250 leases each, that end eight
// hours after now: 10.40.0.0/24, 10.40.1.0/24 and so on, at most 256 scopes.
func Campus(name string, scopes, leases int, now time.Time) World {
	w := World{Name: name}
	end := now.Add(8 * time.Hour).UTC().Format(time.RFC3339)
	for s := range scopes {
		net := fmt.Sprintf("10.40.%d.", s)
		scope := &Scope{ID: net + "0", Mask: "255.255.255.0", Name: fmt.Sprintf("Floor %d", s), Start: net + "1", End: net + "250", LeaseSeconds: 28800}
		for n := range leases {
			scope.Leases = append(scope.Leases, &Lease{
				IP: fmt.Sprint(net, n+1), ClientID: fmt.Sprintf("02-00-00-00-%02x-%02x", s, n),
				Hostname: fmt.Sprintf("PC-%d-%d.corp.example", s, n), Expiry: end,
			})
		}
		w.Scopes = append(w.Scopes, scope)
	}
	return w
}
