package psu

import (
	"context"
	"errors"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// failed classifies an exchange that got no usable answer.
func failed(ctx context.Context, op string, err error) *endpoint.Error {
	out := &endpoint.Error{Op: op}
	out.Kind, out.Err = rest.Classify(err)
	switch {
	case ctx.Err() != nil:
		out.Kind, out.Err = endpoint.Canceled, context.Cause(ctx)
	case errors.Is(err, errMismatch):
		out.Kind = endpoint.CertificateMismatch
	case errors.Is(err, errExpired):
		out.Kind = endpoint.CertificateExpired
	}
	out.Advice = advice(out.Kind, out.Err)
	return out
}

// fixDenied: reports about the groups contradict each other (rule 2).
const fixDenied = "Windows denies the account of PowerShell Universal this: put it into DHCP Users (reading) or DHCP Administrators (writing) and restart the service; where that is not enough, run the service as a local administrator"

// Fix says what an operator can do about an error.
func (d *Door) Fix(e *endpoint.Error) string {
	if e.ID == endpoint.AccessDenied {
		return fixDenied
	}
	return advice(e.Kind, e.Err)
}

func advice(kind endpoint.Kind, err error) string {
	switch kind {
	case endpoint.Unreachable:
		return rest.FixUnreachable(err, "check the host name and this machine's DNS",
			"check that the service PowerShellUniversal runs and the port is right",
			"check the network and the Windows Firewall rule for the port of PowerShell Universal")
	case endpoint.BadTLS:
		return "compare the certificate with the server's (cert fetch) and trust it (cert trust), or let a trusted authority issue one; server_name names another host to expect in it"
	case endpoint.CertificateMismatch:
		return "if the server got a new certificate, compare it there and run cert trust again; if not, another machine answers in its place"
	case endpoint.CertificateExpired:
		return "renew the certificate on the server and run cert trust again"
	case endpoint.Redirected:
		return "name the scheme, host and port PowerShell Universal itself answers at"
	case endpoint.BadToken:
		return "put a valid app token with the role DHCPReader or DHCPWriter into the token file; an unknown path answers 401 as well, so check that the endpoint script is installed"
	case endpoint.Forbidden:
		return "give the token the role this needs: DHCPReader for reading, DHCPWriter for writing"
	case endpoint.NotInstalled:
		return "check the port, and that the endpoint script is installed and PowerShell Universal was restarted since"
	case endpoint.Blank:
		return "the endpoint failed without saying so: see the log of PowerShell Universal on the server"
	}
	return ""
}
