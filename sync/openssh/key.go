package openssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
)

// Key is what to log in with: a file, or the keys of the agent (rule 13.8).
type Key struct {
	File       string // private key in a form that ssh-keygen writes; empty: Agent
	Passphrase string // file with the passphrase of File; empty: it has none
	Agent      bool   // the agent of SSH_AUTH_SOCK signs; it is never forwarded
}

// method is the one way to log in. done is to be called after the login.
func (k Key) method(ctx context.Context, timeout time.Duration) (method ssh.AuthMethod, done func(), err error) {
	if k.Agent {
		return fromAgent(ctx, timeout)
	}
	signer, err := k.read()
	if err != nil {
		return nil, nil, err
	}
	return ssh.PublicKeys(signer), func() {}, nil
}

func bad(format string, args ...any) error {
	return &endpoint.Error{Kind: endpoint.BadKey, Unsent: true, Err: fmt.Errorf(format, args...)}
}

// read reads the key anew at each login, so that a replaced file takes effect. No
// error holds a part of it.
func (k Key) read() (ssh.Signer, error) {
	if err := private(k.File); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(k.File)
	if err != nil {
		return nil, bad("read the key: %w", err)
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, locked := errors.AsType[*ssh.PassphraseMissingError](err); locked {
		signer, err = k.unlock(text)
	}
	switch {
	case err != nil && endpoint.KindOf(err) != "":
		return nil, err
	case err != nil:
		return nil, bad("%s holds no private key that can be used: make one with ssh-keygen -t ed25519", k.File)
	}
	if err := weak(signer.PublicKey()); err != nil {
		return nil, bad("%s: %w: make a new key with ssh-keygen -t ed25519", k.File, err)
	}
	return signer, nil
}

func (k Key) unlock(text []byte) (ssh.Signer, error) {
	if k.Passphrase == "" {
		return nil, bad("%s is locked with a passphrase: name a file with it in ssh.passphrase_file, or give the service a systemd credential", k.File)
	}
	if err := private(k.Passphrase); err != nil {
		return nil, err
	}
	phrase, err := os.ReadFile(k.Passphrase)
	if err != nil {
		return nil, bad("read the passphrase: %w", err)
	}
	signer, err := ssh.ParsePrivateKeyWithPassphrase(text, []byte(strings.TrimRight(string(phrase), "\r\n")))
	if err != nil {
		return nil, bad("the passphrase in %s does not open %s", k.Passphrase, k.File)
	}
	return signer, nil
}

// private refuses a file that others can read or change.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return bad("%w", err)
	}
	if why := owned.OpenToOthers(path, info); why != "" {
		return bad("%s", why)
	}
	return nil
}

// fromAgent signs with the keys of the agent. It may take most of the time that a login may,
// so that an agent that does not answer is not taken for the server. The connection to it
// is closed after the login.
func fromAgent(ctx context.Context, timeout time.Duration) (ssh.AuthMethod, func(), error) {
	path := os.Getenv("SSH_AUTH_SOCK")
	if path == "" {
		return nil, nil, noAgent("ssh.agent is true, and SSH_AUTH_SOCK names no agent")
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, nil, noAgent("connect to the agent: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	done := func() {
		stop()
		_ = conn.Close()
	}
	if err := conn.SetDeadline(time.Now().Add(timeout - timeout/4)); err != nil {
		done()
		return nil, nil, noAgent("connect to the agent: %w", err)
	}
	return ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
		all, err := agent.NewClient(conn).Signers()
		if err != nil {
			return nil, noAgent("ask the agent for its keys: %w", err)
		}
		var strong []ssh.Signer
		for _, signer := range all {
			if weak(signer.PublicKey()) == nil {
				strong = append(strong, signer)
			}
		}
		if len(strong) == 0 {
			return nil, noAgent("the agent has no key that can be used (it has %d)", len(all))
		}
		return strong, nil
	}), done, nil
}

// noAgent is an error of the agent, with its own next step.
func noAgent(format string, args ...any) error {
	return &endpoint.Error{Kind: endpoint.BadKey, Unsent: true, Err: fmt.Errorf(format, args...), Advice: "start an agent and ssh-add a key there, or name a file in ssh.key_file"}
}
