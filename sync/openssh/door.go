// Package openssh is the door to a server's endpoint script through OpenSSH: it
// logs in with a key, lets PowerShell run the script that it sends, or finds the
// one that is bound to the key, and asks it line by line (rule 13). Host keys are
// never accepted unseen. It must not know what a request means or whether to
// repeat it, and puts no file on the server.
package openssh

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
)

// Config says which server to talk to, and as whom.
type Config struct {
	// Host is a name or address; an IPv6 address has no brackets.
	Host string
	// Port is 1 to 65535; 0 means 22.
	Port int
	// User is the account on the server, such as netbox-dhcp or CORP\netbox-dhcp.
	User string
	// Key says what to log in with.
	Key Key
	// HostKeys are those that are trusted.
	HostKeys HostKeys
	// Jump is a host to go through; nil: the connection is direct.
	Jump *Jump
	// Command starts PowerShell: powershell, pwsh, or a path without blanks; empty: powershell.
	Command string
	// Bound says that the key is bound to the installed script: another answer is
	// warned of.
	Bound bool
	// ReadOnly sends the script without the routes that write.
	ReadOnly bool
	// Timeout bounds the opening of a session, and each request; 0 means 60 s.
	Timeout time.Duration
	// Parallel is how many sessions a server gets; 0 means 2.
	Parallel int
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Key is what to log in with: a file, or the keys of the agent.
type Key struct {
	File       string // private key in a form that ssh-keygen writes; empty: Agent
	Passphrase string // file with the passphrase of File; empty: it has none
	Agent      bool   // the agent of SSH_AUTH_SOCK signs; it is never forwarded
}

// Jump is a host on the way (ProxyJump of ssh). It is logged in to with the same key.
type Jump struct {
	User, Host string
	Port       int // 0 means 22
}

// Door leads to the endpoint script of one server. It implements endpoint.Door.
type Door struct {
	config Config
	log    logrus.FieldLogger
}

// New checks c and prepares a door. It sends nothing and reads no key.
func New(c Config, log logrus.FieldLogger) (*Door, error) {
	return &Door{config: c, log: log}, nil
}

// URL is where requests go.
func (d *Door) URL() string { return "" }

// Facts tell of the greeting of the last session; nil: there was none yet.
func (d *Door) Facts() []string { return nil }

// Warnings are what an operator must see in every run.
func (d *Door) Warnings() []string { return nil }

// Fix says what an operator can do about an error.
func (d *Door) Fix(*endpoint.Error) string { return "" }

// Close ends all sessions and the connection. A later Ask opens them again.
func (d *Door) Close() {}

// Ask sends a request and reads the whole answer.
func (d *Door) Ask(context.Context, endpoint.Request) (rest.Answer, error) {
	return rest.Answer{}, nil
}
