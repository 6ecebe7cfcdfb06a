package sshtest

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"golang.org/x/crypto/ssh"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/psutest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Texts in the place of the real ones: the stand-in knows them by their sums only.
const (
	bootstrap    = "$l=[Console]::In.ReadLine();'the bootstrap of these tests'"
	whole        = "# the script of these tests, with B\u00fcro in it\n"
	reading      = "# the same without routes that write\n"
	boundWhole   = "# the installed script\n"
	boundReading = "# the same without --write\n"
)

func accepted() map[string]Kind {
	return map[string]Kind{Sum(bootstrap): Bootstrap, Sum(whole): Whole, Sum(reading): Reading, Sum(boundWhole): BoundWhole, Sum(boundReading): BoundReading}
}

func TestSumsAreRead(t *testing.T) {
	var text strings.Builder
	for name, script := range map[string]string{"bootstrap": bootstrap, "sent-write": whole, "sent-read": reading, "bound-write": boundWhole, "bound-read": boundReading} {
		fmt.Fprintf(&text, "%s  %s\n", Sum(script), name)
	}
	if diff := cmp.Diff(accepted(), Accept(t, text.String())); diff != "" {
		t.Errorf("sums (-want +have):\n%s", diff)
	}
}

func encoded(program string) string {
	return program + " -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand " + Encoded(bootstrap)
}

// login opens a connection, as the client of rule 13 does in a few lines.
func login(t *testing.T, s *Server) *ssh.Client {
	t.Helper()
	client, err := dial(s, s.Key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func dial(s *Server, key ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), &ssh.ClientConfig{
		User: s.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(s.HostKey()),
		HostKeyAlgorithms: []string{s.HostKey().Type()},
	})
}

// asker is one session of a minimal client of rule 13.1.
type asker struct {
	session *ssh.Session
	in      io.WriteCloser
	out     *bufio.Reader
	errs    strings.Builder // complete after end
	noise   strings.Builder
	hello   map[string]any
	id      int
}

// open runs a command; script is what it sends after the boot line, empty: there is none.
func open(t *testing.T, client *ssh.Client, command, script string) (*asker, error) {
	t.Helper()
	session, err := client.NewSession()
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = session.Close() })
	a := &asker{session: session}
	session.Stderr = &a.errs
	out, err := session.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if a.in, err = session.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	a.out = bufio.NewReader(out)
	if err := session.Start(command); err != nil {
		return a, err
	}
	if script != "" {
		boot, err := a.line("boot")
		if err != nil || boot != "FullLanguage" {
			return a, fmt.Errorf("boot %q: %w", boot, err)
		}
		a.send([]byte(script))
	}
	text, err := a.line("hello")
	if err != nil {
		return a, err
	}
	raw, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return a, err
	}
	return a, json.Unmarshal(raw, &a.hello)
}

func (a *asker) send(text []byte) {
	_, _ = io.WriteString(a.in, base64.StdEncoding.EncodeToString(text)+"\n") // what is missing is seen in the answer
}

// line is the next line with the mark and this word.
func (a *asker) line(word string) (string, error) {
	for {
		line, err := a.out.ReadString('\n')
		before, rest, marked := strings.Cut(strings.TrimRight(line, "\r\n"), "#nds ")
		if err != nil {
			return line, err
		}
		a.noise.WriteString(before)
		if !marked {
			continue
		}
		got, rest, _ := strings.Cut(rest, " ")
		if got != word {
			return "", fmt.Errorf("line %q, want %s", line, word)
		}
		return rest, nil
	}
}

// reply is an answer of the server.
type reply struct {
	status int
	time   string
	body   []byte
}

func (a *asker) do(method, path string, body []byte) (reply, error) {
	at, err := url.Parse(path)
	if err != nil {
		return reply{}, err
	}
	query := map[string]string{}
	for name := range at.Query() {
		query[name] = at.Query().Get(name)
	}
	a.id++
	raw, err := json.Marshal(map[string]any{"id": a.id, "method": method, "path": at.Path, "query": query, "body": string(body)})
	if err != nil {
		return reply{}, err
	}
	a.send(raw)
	line, err := a.line("reply")
	if err != nil {
		return reply{}, err
	}
	fields := strings.Split(line, " ")
	if len(fields) != 4 || fields[0] != strconv.Itoa(a.id) {
		return reply{}, fmt.Errorf("reply %.100q, want id %d", line, a.id)
	}
	out := reply{time: fields[2]}
	if out.status, err = strconv.Atoi(fields[1]); err != nil || fields[3] == "-" {
		return out, err
	}
	out.body, err = base64.StdEncoding.DecodeString(fields[3])
	return out, err
}

// end ends standard input and gives the exit status; -1: there was none.
func (a *asker) end() int {
	_ = a.in.Close()
	_, _ = io.Copy(io.Discard, a.out)
	var status *ssh.ExitError
	switch err := a.session.Wait(); {
	case err == nil:
		return 0
	case errors.As(err, &status):
		return status.ExitStatus()
	}
	return -1
}

// target is the contract's way to ask.
func (a *asker) target() psutest.Target {
	return psutest.Target{Scratch: "192.0.2.0", Ask: func(_ context.Context, method, path string, body []byte) (int, []byte, error) {
		out, err := a.do(method, path, body)
		return out.status, out.body, err
	}}
}

// ready is a session that has greeted.
func ready(t *testing.T, s *Server) *asker {
	t.Helper()
	a, err := open(t, login(t, s), encoded("powershell"), whole)
	if err != nil {
		t.Fatalf("no greeting: %v, stderr %q", err, a.errs.String())
	}
	return a
}

func windows(t *testing.T, c psutest.Config) *psutest.Server {
	t.Helper()
	c.World = psutest.Example("dh1.corp.example")
	c.World.Failovers = []*psutest.Failover{{Name: "east-pair", Partner: "dh2", Scopes: []string{"10.8.4.0"}}}
	c.World.Scopes = append(c.World.Scopes, &psutest.Scope{ID: "192.0.2.0", Mask: "255.255.255.0", Name: "Scratch", Start: "192.0.2.10", End: "192.0.2.200", LeaseSeconds: 3600, Routers: []string{"192.0.2.254"}})
	return psutest.New(t, c)
}

// kind is one of the two servers with one face.
type kind struct {
	server, jump func(testing.TB, Config) *Server
}

// both runs a test on both servers.
func both(t *testing.T, test func(*testing.T, kind)) {
	t.Run("in-process", func(t *testing.T) { test(t, kind{New, NewJump}) })
	t.Run("sshd", func(t *testing.T) { test(t, kind{Real, RealJump}) })
}

// made is a server with the texts of these tests.
func (k kind) made(t *testing.T, w *psutest.Server, change func(*Config)) *Server {
	t.Helper()
	c := Config{Windows: w, Shell: Shell{Accept: accepted()}}
	if change != nil {
		change(&c)
	}
	return k.server(t, c)
}

func made(t *testing.T, w *psutest.Server, change func(*Config)) *Server {
	t.Helper()
	return kind{server: New}.made(t, w, change)
}
