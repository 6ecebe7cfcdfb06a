package openssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

var (
	errTimeout = errors.New("no answer in time")
	errEnded   = errors.New("the session ended before the answer")
	errTooLong = errors.New("a line of the server is longer than 64 MiB")
	errNoise   = errors.New("the server sends more than 64 KiB of text that is no answer")
	errOrder   = errors.New("the server sends an answer that was not asked for")
	errGarbled = errors.New("an answer of the script cannot be read")
)

// failed classifies what went wrong before a request was sent.
func failed(ctx context.Context, op string, err error) *endpoint.Error {
	out, ok := errors.AsType[*endpoint.Error](err)
	if !ok {
		out = &endpoint.Error{Kind: endpoint.Unreachable, Err: err}
		dial, dialing := errors.AsType[*net.OpError](err)
		switch text := err.Error(); {
		case dialing && dial.Op == "dial": // also where it took too long: a firewall drops it
		case errors.Is(err, errTimeout), errors.Is(err, context.DeadlineExceeded):
			out.Kind, out.Err = endpoint.TimedOut, errTimeout
		// x/crypto has no type for either
		case strings.Contains(text, "unable to authenticate"), strings.Contains(text, "too many authentication failures"), strings.Contains(text, "Too many authentication failures"):
			out.Kind = endpoint.LoginRefused
		}
	}
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errTimeout) {
		out.Kind, out.Err = endpoint.Canceled, cause
	}
	out.Op, out.Unsent = op, true
	if out.Advice == "" {
		out.Advice = advice(out)
	}
	return out
}

// failed is that of a login on a host. What is about a jump host says so: the server
// behind it has heard nothing.
func (h hop) failed(ctx context.Context, err error) *endpoint.Error {
	out := failed(ctx, "log in as "+h.String(), err)
	if !h.jump || out.Kind == endpoint.Canceled {
		return out
	}
	out.Err = fmt.Errorf("jump host %s: %w", h.host, out.Err)
	switch out.Kind {
	case endpoint.LoginRefused:
		out.Advice = "put the public key into authorized_keys of " + h.user + " on the jump host, with the right to forward TCP"
	case endpoint.Unreachable:
		out.Advice = "check ssh.jump, and that the jump host can be reached"
	}
	return out
}

// broken classifies the end of a session that a request was sent to.
func broken(ctx context.Context, err error) *endpoint.Error {
	out := &endpoint.Error{Kind: endpoint.Unreachable, Err: err}
	switch {
	case ctx.Err() != nil:
		out.Kind, out.Err = endpoint.Canceled, context.Cause(ctx)
	case errors.Is(err, errTimeout):
		out.Kind = endpoint.TimedOut
	case errors.Is(err, errTooLong):
		out.Kind = endpoint.TooLarge
	case errors.Is(err, errNoise), errors.Is(err, errOrder), errors.Is(err, errGarbled):
		out.Kind = endpoint.Garbled
	default:
		out.Cut = true
	}
	out.Advice = advice(out)
	return out
}

// The numbers of Windows for a service that does not run.
const (
	noServer   = "WIN32 1722" // RPC_S_SERVER_UNAVAILABLE
	noEndpoint = "WIN32 1753" // EPT_S_NOT_REGISTERED
)

// fixDenied: reports about the groups contradict each other (rule 2).
const fixDenied = "Windows denies the account this: put it into DHCP Users (reading) or DHCP Administrators (writing), and log in anew; where that is not enough, take a local administrator with a key file of its own"

// Fix says what an operator can do about an error.
func (d *Door) Fix(e *endpoint.Error) string {
	switch e.ID {
	case endpoint.AccessDenied:
		return fixDenied
	case noServer, noEndpoint:
		return "the DHCP service of the server does not answer: Start-Service DHCPServer there"
	}
	return advice(e)
}

func advice(e *endpoint.Error) string {
	switch e.Kind {
	case endpoint.Unreachable:
		if refusedChannel(e.Err) {
			return "sshd opens no further session: MaxSessions in its sshd_config, or psu.parallel: 1"
		}
		return rest.FixUnreachable(e.Err, "check the host name and this machine's DNS",
			"check that the service sshd runs on the server (Start-Service sshd) and that ssh.port is right",
			"check the network and the Windows Firewall rule for the port of sshd")
	case endpoint.HostKeyUnknown:
		return "netbox-dhcp-sync cert fetch shows the key; compare it on the server, then cert trust"
	case endpoint.HostKeyMismatch:
		return "if the server got a new key, compare it there and run cert trust again; if not, another machine answers in its place"
	case endpoint.BadKey:
		return "see ssh.key_file"
	case endpoint.LoginRefused:
		if strings.Contains(fmt.Sprint(e.Err), "oo many authentication failures") {
			return "the agent offers more keys than the server lets try: name the right one in ssh.key_file"
		}
		return "put the public key into authorized_keys of that account, or into administrators_authorized_keys where it is an administrator, with the access list that sshd wants; its reason stands in the log OpenSSH/Operational of the server"
	case endpoint.NoGreeting:
		return "check ssh.command, and that the account may start PowerShell on the server"
	case endpoint.WrongScript:
		return "install the output of netbox-dhcp-sync windows-script on the server again"
	case endpoint.BadToken, endpoint.Forbidden, endpoint.NotInstalled, endpoint.Blank, endpoint.Garbled:
		return "this is no answer of our script: see what PowerShell said with -vv"
	}
	return ""
}

// refusedChannel reports whether the server opens no more sessions on a connection.
func refusedChannel(err error) bool {
	var refused *ssh.OpenChannelError
	return errors.As(err, &refused)
}

// hop is a host on the way, or the server.
type hop struct {
	user, host string
	port       int
	jump       bool
}

func (h hop) String() string { return fmt.Sprintf("%s at %s", h.user, joined(h.host, h.port)) }

func joined(host string, port int) string { return net.JoinHostPort(host, fmt.Sprint(port)) }
