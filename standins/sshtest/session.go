package sshtest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/standins/fault"
)

// errCut says that a session ends without a word.
var errCut = errors.New("the session was cut")

// session is one PowerShell that runs the script (rule 13.1).
type session struct {
	ctx   context.Context
	c     Shell
	kind  Kind
	lines <-chan string
	ended <-chan struct{} // standard input has ended
	out   io.Writer
	http  *http.Client
}

func newSession(ctx context.Context, in io.Reader, out io.Writer, c Shell) *session {
	s := &session{ctx: ctx, c: c, out: out, http: &http.Client{
		// A connection that is used again would make net/http repeat a request.
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.lines, s.ended = readLines(ctx, in)
	return s
}

// run is a session from its start to its end.
func (s *session) run(line command) error {
	loaded, err := s.load(line)
	if err != nil || !loaded {
		return err
	}
	greeting, err := json.Marshal(s.greeting())
	if err != nil {
		return err
	}
	if err := s.open("hello", "#nds hello "+base64.StdEncoding.EncodeToString(greeting)); err != nil {
		return err
	}
	if err := s.write(s.c.Chatter); err != nil {
		return err
	}
	for id := 1; ; id++ {
		line, ok := s.next()
		if !ok {
			return nil
		}
		if err := s.request(line, id); err != nil {
			return err
		}
	}
}

// load gets the script: from a file, or as a line. It is false where standard input has ended.
func (s *session) load(line command) (bool, error) {
	if line.file != "" {
		text, err := fileText(line.file)
		if err == nil {
			s.kind, err = s.c.accept("script "+line.file, text, BoundWhole, BoundReading)
		}
		return err == nil, err
	}
	text, err := line.text()
	if err == nil {
		_, err = s.c.accept("text of -EncodedCommand", text, Bootstrap)
	}
	if err != nil {
		return false, err
	}
	// The host of PowerShell writes this line, as its system ends lines; the script writes the others.
	if err := s.open("boot", "#nds boot "+s.c.Mode+map[bool]string{true: "\r"}[s.c.Edition != "Core"]); err != nil {
		return false, err
	}
	if s.c.Mode != "FullLanguage" {
		return false, nil
	}
	script, ok := s.next()
	if !ok {
		return false, nil
	}
	raw, err := base64.StdEncoding.DecodeString(script)
	if err != nil {
		return false, fmt.Errorf("sshtest: the line of the script is no base64: %w", err)
	}
	s.kind, err = s.c.accept("script that was sent", string(raw), Whole, Reading)
	return err == nil, err
}

// next is the next line that comes in; false: there is none any more.
func (s *session) next() (string, bool) {
	select {
	case line, ok := <-s.lines:
		return line, ok
	case <-s.ctx.Done():
		return "", false
	}
}

func (s *session) reads() bool { return s.kind == Reading || s.kind == BoundReading }

// rights are what the script has routes for; what Windows allows the account is told by health.
func (s *session) rights() string {
	if s.reads() && s.c.Rights == "write" {
		return "read"
	}
	return s.c.Rights
}

// greeting is the object of rule 13.3.
func (s *session) greeting() any {
	return struct {
		Protocol      int       `json:"protocol"`
		Script        string    `json:"script"`
		Version       string    `json:"version"`
		Bound         bool      `json:"bound"`
		Rights        string    `json:"rights"`
		Edition       string    `json:"edition"`
		PowerShell    string    `json:"powershell"`
		Computer      string    `json:"computer"`
		Account       string    `json:"account"`
		Zone          string    `json:"zone"`
		OffsetMinutes int       `json:"offset_minutes"`
		UTC           time.Time `json:"utc"`
	}{
		s.c.Protocol, s.c.Script, s.c.ScriptVersion, s.kind == BoundWhole || s.kind == BoundReading, s.rights(), s.c.Edition, s.c.Version,
		s.c.Computer, s.c.Account, s.c.Zone, int(s.c.Offset.Minutes()), s.now(),
	}
}

func (s *session) now() time.Time { return time.Now().Add(s.c.Clock).UTC().Truncate(time.Second) }

// asked is a request as it comes in.
type asked struct {
	ID     int               `json:"id"`
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  map[string]string `json:"query"`
	Body   string            `json:"body"`
}

// request answers one line. Each error ends the session.
func (s *session) request(line string, id int) error {
	raw, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return fmt.Errorf("sshtest: a request is no base64: %w", err)
	}
	var in asked
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return fmt.Errorf("sshtest: a request is not that of rule 13.1: %w", err)
	}
	if in.ID != id || in.Method == "" || in.Path == "" || strings.HasPrefix(in.Path, "/") {
		return fmt.Errorf("sshtest: a request is not that of rule 13.1: %.300s, want id %d", raw, id)
	}
	f := s.c.Take(in.Method, in.Path, in.scope())
	if err := s.before(f); err != nil {
		return err
	}
	a, err := s.carryOut(in)
	if err != nil {
		return err
	}
	if a.cut {
		f = &Fault{Kind: CutReply}
	}
	if f != nil && f.Kind == WrongID {
		id++
	}
	return s.tell(f.spoil(fmt.Sprintf("#nds reply %d %d %s %s", id, a.status, s.now().Format(time.RFC3339), a.text())))
}

// scope is the scope that a request names, for faults.
func (in asked) scope() string {
	if id := in.Query["scope_id"]; id != "" {
		return id
	}
	return in.Path[strings.LastIndexByte(in.Path, '/')+1:]
}

// answer is what the endpoint gave.
type answer struct {
	status int
	body   []byte
	cut    bool // its end is missing
}

// text is the body as a reply has it.
func (a answer) text() string {
	if len(a.body) == 0 {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(a.body)
}

// carryOut lets the stand-in of PowerShell Universal do it. What ends the connection there ends
// the session here.
func (s *session) carryOut(in asked) (answer, error) {
	if in.Method != http.MethodGet && s.reads() {
		return answer{http.StatusNotFound, []byte(`{"error":"the script has no such endpoint","error_id":"route","reason":""}`), false}, nil
	}
	query := url.Values{}
	for name, value := range in.Query {
		query.Set(name, value)
	}
	at, err := url.Parse(s.c.Backend)
	if err != nil {
		return answer{}, err
	}
	at.Path, at.RawQuery = "/api/dhcp/"+in.Path, query.Encode()
	request, err := http.NewRequestWithContext(s.ctx, in.Method, at.String(), strings.NewReader(in.Body))
	if err != nil {
		return answer{}, err
	}
	request.Header.Set("Authorization", "Bearer "+s.c.Token)
	request.Header.Set("Content-Type", "application/json")
	response, err := s.http.Do(request)
	if err != nil {
		return answer{}, errCut
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if s.reads() && in.Path == "health" && err == nil {
		body = s.lessRights(body)
	}
	return answer{response.StatusCode, body, err != nil}, nil
}

// lessRights is health of a script that has no routes that write.
func (s *session) lessRights(body []byte) []byte {
	var health map[string]any
	if json.Unmarshal(body, &health) != nil || health["rights"] != "write" {
		return body
	}
	health["rights"] = "read"
	if out, err := json.Marshal(health); err == nil {
		return out
	}
	return body
}

// open writes a line of the opening.
func (s *session) open(what, line string) error {
	f := s.c.Take(Opening, what, "")
	if err := s.before(f); err != nil {
		return err
	}
	return s.tell(f.spoil(line))
}

// before does what a fault does before the request is carried out.
func (s *session) before(f *Fault) error {
	if f == nil {
		return nil
	}
	switch f.Kind {
	case Slow:
		fault.Wait(s.ctx, f.Until, f.Delay)
	case CutBefore:
		return s.cut(f)
	case Silent:
		return s.silence()
	}
	return nil
}

// tell writes a line, or what a fault left of it.
func (s *session) tell(line string, f *Fault) error {
	end := "\n"
	if f == nil {
		return s.write([]byte(line + end))
	}
	switch f.Kind {
	case CutAfter:
		return s.cut(f)
	case SilentAfter:
		return s.silence()
	case CutReply:
		if err := s.write([]byte(line[:len(line)/2])); err != nil {
			return err
		}
		return s.cut(f)
	case TooLong:
		return s.flood(line, f)
	case Trickle:
		return s.trickle(line, f)
	case Noise:
		line = f.noise() + line
	case NoiseAfter:
		end += f.noise()
	}
	return s.write([]byte(line + end))
}

func (s *session) write(text []byte) error {
	if _, err := s.out.Write(text); err != nil {
		return errCut
	}
	return nil
}

func (s *session) cut(f *Fault) error {
	if f.Connection {
		s.c.Cut()
	}
	return errCut
}

// silence lasts until the other side has had enough.
func (s *session) silence() error {
	select {
	case <-s.ended:
	case <-s.ctx.Done():
	}
	return errCut
}

// flood writes a line that is too long, and does not end it.
func (s *session) flood(line string, f *Fault) error {
	chunk := bytes.Repeat([]byte("A"), 32<<10)
	if err := s.write([]byte(line)); err != nil {
		return err
	}
	for left := f.length() - len(line); left > 0; left -= len(chunk) {
		if err := s.write(chunk[:min(left, len(chunk))]); err != nil {
			return err
		}
	}
	return s.silence()
}

// trickle writes a line that goes on and on.
func (s *session) trickle(line string, f *Fault) error {
	tick := time.NewTicker(max(f.Delay, time.Millisecond))
	defer tick.Stop()
	for err := s.write([]byte(line)); err == nil; err = s.write([]byte("A")) {
		select {
		case <-tick.C:
		case <-s.ended:
			return errCut
		case <-s.ctx.Done():
			return errCut
		}
	}
	return errCut
}

// spoil is a line with the fault in it, and what is left of the fault.
func (f *Fault) spoil(line string) (string, *Fault) {
	if f == nil {
		return line, nil
	}
	fields := strings.Split(line, " ")
	switch f.Kind {
	case NotBase64:
		fields[len(fields)-1] = "%not-base64%"
	case Garbled:
		fields = append(fields[:2], strconv.Quote("what?"))
	}
	return strings.Join(fields, " "), f
}
