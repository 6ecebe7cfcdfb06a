package openssh

import (
	"context"
	"crypto/dsa" //nolint:staticcheck // to know it by name, and refuse it
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/coredhcp-netbox/coredhcp-netbox/sync/endpoint"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/owned"
)

// fetchTimeout bounds the look at one host's key.
const fetchTimeout = 10 * time.Second

// HostKeys are the trusted keys of servers and jump hosts, in a file in the form of
// OpenSSH's known_hosts. A file that is missing trusts none (rule 13.7).
type HostKeys struct {
	File string
}

// HostKey is what an operator compares before trusting a server.
type HostKey struct {
	Host        string // that shows it: the server's, or the jump host's
	Port        int
	Type        string // such as ssh-ed25519
	Bits        int    // of RSA; 0: of another type
	Fingerprint string // SHA256:...
	Jump        bool   // it is the jump host's, which has to be trusted first

	key ssh.PublicKey
}

func describe(h hop, key ssh.PublicKey) HostKey {
	out := HostKey{Host: h.host, Port: h.port, Type: key.Type(), Fingerprint: ssh.FingerprintSHA256(key), Jump: h.jump, key: key}
	if known, ok := key.(ssh.CryptoPublicKey); ok {
		if pub, ok := known.CryptoPublicKey().(*rsa.PublicKey); ok {
			out.Bits = pub.N.BitLen()
		}
	}
	return out
}

// errSeen ends a handshake when the key was seen.
var errSeen = errors.New("the key was seen")

// Fetch asks the server of c for its host key and does not verify it. It does not log
// in there. On the way through a jump host whose key is not trusted yet, it gives
// that one. It takes at most 10 seconds for each host.
func Fetch(ctx context.Context, c Config) (HostKey, error) {
	c.fill()
	if err := c.check(); err != nil {
		return HostKey{}, &endpoint.Error{Kind: endpoint.Invalid, Op: "fetch a host key", Err: err}
	}
	target := c.target()
	via, err := c.dialJump(ctx, fetchTimeout)
	if err != nil {
		if kind := endpoint.KindOf(err); kind != endpoint.HostKeyUnknown && kind != endpoint.HostKeyMismatch {
			return HostKey{}, err
		}
		target = *c.jump()
	}
	if via != nil {
		defer func() { _ = via.Close() }()
	}
	return look(ctx, target, via)
}

// look makes half a handshake, for the key that a host shows.
func look(ctx context.Context, h hop, via *ssh.Client) (HostKey, error) {
	var seen ssh.PublicKey
	config := &ssh.ClientConfig{
		User: "none",
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = key
			return errSeen
		},
		HostKeyAlgorithms: []string{
			ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256,
		},
	}
	client, err := handshake(ctx, h, via, config, fetchTimeout)
	if client != nil {
		_ = client.Close()
	}
	if seen == nil {
		return HostKey{}, failed(ctx, "fetch the host key of "+h.host, err)
	}
	return describe(h, seen), nil
}

// Trust fetches the host key of the server of c, or of its jump host, and keeps it in
// h if it has the fingerprint an operator compared, in place of older ones of that
// host. Any other one is refused.
func (h HostKeys) Trust(ctx context.Context, c Config, fingerprint string) (HostKey, error) {
	op := "trust the host key of " + c.Host
	want, err := parseFingerprint(fingerprint)
	if err != nil {
		return HostKey{}, &endpoint.Error{Kind: endpoint.Invalid, Op: op, Err: err}
	}
	key, err := Fetch(ctx, c)
	if err != nil {
		return key, err
	}
	if err := weak(key.key); err != nil {
		return key, &endpoint.Error{Kind: endpoint.HostKeyMismatch, Op: op, Err: err}
	}
	if key.Fingerprint != want {
		return key, &endpoint.Error{Kind: endpoint.HostKeyMismatch, Op: op, Err: fmt.Errorf("%s shows %s, expected is %s", key.Host, key.Fingerprint, want)}
	}
	address := joined(key.Host, key.Port)
	err = h.rewrite(address, knownhosts.Line([]string{address}, key.key))
	if err == nil {
		err = h.left(key.Host, key.Port, key.Fingerprint)
	}
	if err != nil {
		err = fmt.Errorf("keep the host key of %s: %w", key.Host, err)
	}
	return key, err
}

// left is an error where the file trusts another key of a host than one; empty: any.
// Lines that name it beside others, by a pattern or in hidden form are a person's.
func (h HostKeys) left(host string, port int, but string) error {
	keys, err := h.Of(host, port)
	for _, key := range keys {
		if err == nil && key.Fingerprint != but {
			err = fmt.Errorf("%s still trusts %s for it, in a line that names it beside others, by a pattern or hidden: take that line out", h.File, key.Fingerprint)
		}
	}
	return err
}

// parseFingerprint reads a SHA-256 as ssh-keygen prints it.
func parseFingerprint(text string) (string, error) {
	text = strings.TrimSpace(text)
	bare := strings.TrimRight(strings.TrimPrefix(text, "SHA256:"), "=")
	foreign := func(r rune) bool {
		return r != '+' && r != '/' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}
	if len(bare) != 43 || strings.ContainsFunc(bare, foreign) {
		return "", fmt.Errorf("fingerprint %.100q: want SHA256: and 43 characters, as ssh-keygen -l prints it", text)
	}
	return "SHA256:" + bare, nil
}

// Of gives the trusted keys of a host; none: nil. A file that cannot be read is an
// error.
func (h HostKeys) Of(host string, port int) ([]HostKey, error) {
	keys, err := h.trusted(joined(host, port))
	var out []HostKey
	for _, key := range keys {
		out = append(out, describe(hop{host: host, port: port}, key))
	}
	return out, err
}

// Remove forgets the keys of a host. It is an error wrapping fs.ErrNotExist if there
// are none.
func (h HostKeys) Remove(host string, port int) error {
	keys, err := h.Of(host, port)
	if err == nil && len(keys) == 0 {
		err = fs.ErrNotExist
	}
	if err == nil {
		err = h.rewrite(joined(host, port), "")
	}
	if err == nil {
		err = h.left(host, port, "")
	}
	if err != nil {
		return fmt.Errorf("remove the trusted host key of %s: %w", host, err)
	}
	return nil
}

// rewrite takes the lines of one host out of the file, and adds one; empty: none.
// Lines that name several hosts, or hide the name, are left.
func (h HostKeys) rewrite(address, line string) error {
	text, err := os.ReadFile(h.File)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name := knownhosts.Normalize(address)
	var lines []string
	for old := range strings.Lines(string(text)) {
		if fields := strings.Fields(old); len(fields) > 0 && fields[0] != name {
			lines = append(lines, strings.TrimRight(old, "\r\n"))
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	if err := owned.Folder(filepath.Dir(h.File), 0o700); err != nil {
		return err
	}
	return owned.WriteFile(h.File, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

// callback is the check of knownhosts; without a file nothing is trusted.
func (h HostKeys) callback() (ssh.HostKeyCallback, error) {
	check, err := knownhosts.New(h.File)
	if errors.Is(err, fs.ErrNotExist) {
		return func(string, net.Addr, ssh.PublicKey) error { return &knownhosts.KeyError{} }, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the trusted host keys: %w", err)
	}
	return check, nil
}

// nobodys is a key that no host has: with it, the check tells which keys it wants.
func nobodys() ssh.PublicKey {
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public())
	if err != nil {
		panic(err) // a key of a fixed seed is one
	}
	return key
}

// trusted are the keys of a host and port.
func (h HostKeys) trusted(address string) ([]ssh.PublicKey, error) {
	check, err := h.callback()
	if err != nil {
		return nil, err
	}
	return wanted(check, address), nil
}

// wanted are the keys that a check accepts from a host and port.
func wanted(check ssh.HostKeyCallback, address string) (keys []ssh.PublicKey) {
	var wants *knownhosts.KeyError
	if errors.As(check(address, nowhere(), nobodys()), &wants) {
		for _, known := range wants.Want {
			keys = append(keys, known.Key)
		}
	}
	return keys
}

// nowhere is the address of a connection that there is not.
func nowhere() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// verify makes a login accept the trusted keys of a host only. Only their algorithms
// are offered: a server with several keys would show another one otherwise, which
// knownhosts takes for a change.
func (h HostKeys) verify(config *ssh.ClientConfig, to hop) error {
	check, err := h.callback()
	if err != nil {
		return &endpoint.Error{Kind: endpoint.HostKeyUnknown, Unsent: true, Err: err, Advice: "correct or remove that line, or let the user of this program read the file: while it cannot be read no host is trusted"}
	}
	for _, key := range wanted(check, joined(to.host, to.port)) {
		config.HostKeyAlgorithms = append(config.HostKeyAlgorithms, algorithms(key)...)
	}
	slices.Sort(config.HostKeyAlgorithms)
	config.HostKeyAlgorithms = slices.Compact(config.HostKeyAlgorithms)
	config.HostKeyCallback = func(address string, remote net.Addr, key ssh.PublicKey) error {
		if _, _, err := net.SplitHostPort(remote.String()); err != nil {
			remote = nowhere() // through a jump host there is no address
		}
		return judged(check(address, remote, key), to, key)
	}
	return nil
}

// another says which key a server shows that has none of the trusted kinds any more.
func (h HostKeys) another(ctx context.Context, to hop, via *ssh.Client, cause error) error {
	keys, err := h.trusted(joined(to.host, to.port))
	shown, lookErr := look(ctx, to, via)
	if err != nil || lookErr != nil || len(keys) == 0 {
		return cause
	}
	var wants []knownhosts.KnownKey
	for _, key := range keys {
		wants = append(wants, knownhosts.KnownKey{Key: key})
	}
	return judged(&knownhosts.KeyError{Want: wants}, to, shown.key)
}

// algorithms are those a key of a host signs with. The first of RSA, with SHA-1, is not
// among them.
func algorithms(key ssh.PublicKey) []string {
	if key.Type() == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{key.Type()}
}

// judged puts the verdict of knownhosts in words.
func judged(verdict error, to hop, key ssh.PublicKey) error {
	shown := ssh.FingerprintSHA256(key)
	var wants *knownhosts.KeyError
	switch {
	case verdict == nil:
		if err := weak(key); err != nil {
			return &endpoint.Error{Kind: endpoint.HostKeyMismatch, Unsent: true, Err: fmt.Errorf("the host key of %s: %w", to.host, err)}
		}
		return nil
	case errors.As(verdict, &wants) && len(wants.Want) == 0:
		return &endpoint.Error{Kind: endpoint.HostKeyUnknown, Unsent: true, Err: fmt.Errorf("no host key of %s is trusted; it shows %s %s", to.host, key.Type(), shown)}
	case errors.As(verdict, &wants):
		var trusted []string
		for _, known := range wants.Want {
			trusted = append(trusted, ssh.FingerprintSHA256(known.Key))
		}
		return &endpoint.Error{Kind: endpoint.HostKeyMismatch, Unsent: true, Err: fmt.Errorf("the host key of %s is not the trusted one: it shows %s, trusted is %s", to.host, shown, strings.Join(trusted, ", "))}
	}
	return &endpoint.Error{Kind: endpoint.HostKeyMismatch, Unsent: true, Err: verdict}
}

// leastRSA is how many bits a key of RSA has at least.
const leastRSA = 2048

// weak says why a key is not used.
func weak(key ssh.PublicKey) error {
	known, ok := key.(ssh.CryptoPublicKey)
	if !ok {
		return nil // a kind that x/crypto knows by name only, such as those of security keys
	}
	switch pub := known.CryptoPublicKey().(type) {
	case *dsa.PublicKey:
		return errors.New("it is of DSA, which is not used any more")
	case *rsa.PublicKey:
		if pub.N.BitLen() < leastRSA {
			return fmt.Errorf("RSA with %d bits is too weak: at least %d are wanted", pub.N.BitLen(), leastRSA)
		}
	}
	return nil
}
