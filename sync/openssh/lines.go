package openssh

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/rest"
)

// The lines of a session (rules 13.1 and 13.2).
const (
	mark     = "#nds "
	maxLine  = 64 << 20
	maxNoise = 64 << 10
	protocol = 1
)

// reader reads the lines of the server that hold the mark, and keeps what else it says.
type reader struct {
	in    *bufio.Reader
	noise bytes.Buffer // since the last mark
}

func newReader(in io.Reader) *reader { return &reader{in: bufio.NewReaderSize(in, 64<<10)} }

// next gives what follows the mark in the next line that has it, without the line's end.
func (r *reader) next() (string, error) {
	r.noise.Reset()
	for {
		line, err := r.line()
		before, after, ok := bytes.Cut(line, []byte(mark))
		r.noise.Write(before)
		switch {
		case err != nil:
			return "", err
		case r.noise.Len() > maxNoise:
			return "", errNoise
		case ok:
			return string(bytes.TrimRight(after, "\r\n")), nil
		}
	}
}

// line reads one line with its end. It holds no more of a line without the mark than
// noise may have.
func (r *reader) line() ([]byte, error) {
	var line []byte
	for {
		part, err := r.in.ReadSlice('\n')
		line = append(line, part...)
		switch {
		case err == nil:
			return line, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return line, err
		case len(line) >= maxLine:
			return nil, errTooLong
		case len(line) > maxNoise && !bytes.Contains(line[:maxNoise], []byte(mark)):
			return line, errNoise
		}
	}
}

// hello is the greeting of the script (rule 13.3).
type hello struct {
	Protocol   int       `json:"protocol"`
	Script     string    `json:"script"`
	Version    string    `json:"version"`
	Bound      bool      `json:"bound"`
	Rights     string    `json:"rights"`
	Edition    string    `json:"edition"`
	PowerShell string    `json:"powershell"`
	Computer   string    `json:"computer"`
	Account    string    `json:"account"`
	Zone       string    `json:"zone"`
	Offset     int       `json:"offset_minutes"` // of the zone, to the east of UTC
	UTC        time.Time `json:"utc"`
}

// readHello reads what follows the word hello. Its texts are fit for one line.
func readHello(text string) (hello, error) {
	var h hello
	data, err := base64.StdEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(data, &h)
	}
	if err != nil {
		return hello{}, fmt.Errorf("the greeting cannot be read: %w", err)
	}
	for _, field := range []*string{&h.Script, &h.Version, &h.Rights, &h.Edition, &h.PowerShell, &h.Computer, &h.Account, &h.Zone} {
		*field = rest.Clean(*field, 100)
	}
	return h, nil
}

// facts are the greeting in words.
func (h hello) facts() []string {
	key := "the script is sent at each login; the key is not bound to it, so it gives a shell"
	if h.Bound {
		key = "the key is bound to the script that is installed there"
	}
	sign, minutes := '+', h.Offset
	if minutes < 0 {
		sign, minutes = '-', -minutes
	}
	return []string{
		fmt.Sprintf("PowerShell %s (%s) on %s as %s", h.PowerShell, h.Edition, h.Computer, h.Account),
		fmt.Sprintf("endpoint script %s, rights %s; %s", h.Version, h.Rights, key),
		fmt.Sprintf("its clock says %s, UTC%c%02d:%02d (%s)", h.UTC.UTC().Format(time.DateTime), sign, minutes/60, minutes%60, h.Zone),
	}
}

// request is a line to the script.
type request struct {
	ID     int               `json:"id"`
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Query  map[string]string `json:"query"`
	Body   string            `json:"body"`
}

func (r request) line() ([]byte, error) {
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	line := make([]byte, base64.StdEncoding.EncodedLen(len(data)), base64.StdEncoding.EncodedLen(len(data))+1)
	base64.StdEncoding.Encode(line, data)
	return append(line, '\n'), nil
}

// reply is a line of the script that answers one.
type reply struct {
	id, status int
	date       time.Time // by the server's clock; zero: not told
	body       []byte
}

// readReply reads a whole line after the mark.
func readReply(text string) (reply, error) {
	word, rest, _ := strings.Cut(text, " ")
	id, rest, _ := strings.Cut(rest, " ")
	status, rest, _ := strings.Cut(rest, " ")
	date, body, ok := strings.Cut(rest, " ")
	var out reply
	var err, idErr, statusErr error
	out.id, idErr = strconv.Atoi(id)
	out.status, statusErr = strconv.Atoi(status)
	if body != "-" {
		out.body, err = base64.StdEncoding.DecodeString(body)
	}
	if !ok || word != "reply" || idErr != nil || statusErr != nil || err != nil || out.id < 1 || out.status < 100 || out.status > 599 {
		return reply{}, errGarbled
	}
	out.date, _ = time.Parse(time.RFC3339, date)
	return out, nil
}

// maxSaid is how much of what PowerShell says is kept.
const maxSaid = 16 << 10

var (
	clixml  = regexp.MustCompile(`(?s)#< CLIXML\s*(?:<Objs.*?(?:</Objs>|$))?`)
	spoken  = regexp.MustCompile(`(?s)<S S="[A-Za-z]+">(.*?)</S>`)
	escaped = regexp.MustCompile(`_x[0-9A-Fa-f]{4}_`)
)

// said makes one line of what PowerShell wrote on standard error or before a mark. It
// writes errors as XML there where it is not asked for text, and progress as XML that
// says nothing.
func said(raw []byte) string {
	text := clixml.ReplaceAllStringFunc(string(raw), func(objects string) string {
		var out strings.Builder
		for _, m := range spoken.FindAllStringSubmatch(objects, -1) {
			out.WriteString(html.UnescapeString(escaped.ReplaceAllStringFunc(m[1], unescape)))
		}
		return out.String()
	})
	return rest.Clean(text, 2000)
}

// unescape gives the character of _x000D_.
func unescape(code string) string {
	n, err := strconv.ParseUint(code[2:6], 16, 16)
	if err != nil {
		return " "
	}
	return string(rune(n))
}
