package history

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
)

// Query says which spans are wanted; the zero value: all.
type Query struct {
	Prefix  netip.Prefix `json:"prefix,omitzero"`   // of the address
	Client  string       `json:"client,omitempty"`  // client key, or hardware address in the form of one
	Name    string       `json:"name,omitempty"`    // the client's own, or that in NetBox: the whole or its first label, without case
	Circuit string       `json:"circuit,omitempty"` // circuit-id or remote-id, as circuit.Text has it
	From    time.Time    `json:"from,omitzero"`     // spans that ran at this time or later
	To      time.Time    `json:"to,omitzero"`       // and at this time or earlier
	Limit   int          `json:"limit,omitempty"`   // how many are wanted at most, the latest ones; 0: MaxFound
}

// MaxFound is how many spans one answer has at most.
const MaxFound = 10000

// Answer is what is known.
type Answer struct {
	Spans   []Span `json:"spans"`             // by begin
	More    bool   `json:"more,omitempty"`    // earlier ones were left out
	Since   string `json:"since,omitempty"`   // the oldest day that is kept; empty: only what runs is known
	Damaged int    `json:"damaged,omitempty"` // lines of files that could not be read
}

// Matches reports whether a span is wanted.
func (q *Query) Matches(s *Span) bool {
	return (!q.To.Before(s.Begin) || q.To.IsZero()) && (s.End.IsZero() || q.From.IsZero() || s.End.After(q.From) || s.Begin.Equal(s.End) && s.End.Equal(q.From)) && q.About(s)
}

// About is Matches without times.
func (q *Query) About(s *Span) bool {
	return (!q.Prefix.IsValid() || q.Prefix.Contains(s.Addr)) &&
		(q.Client == "" || q.Client == s.Client || q.Client == s.Hardware) &&
		(q.Name == "" || sameName(q.Name, s.Hostname) || sameName(q.Name, s.Machine)) &&
		(q.Circuit == "" || q.Circuit == s.Circuit || q.Circuit == s.Remote)
}

// sameName compares names without case; a host name is also found by its first label.
func sameName(wanted, name string) bool {
	if strings.EqualFold(wanted, name) {
		return true
	}
	label, _, full := strings.Cut(name, ".")
	return full && strings.EqualFold(wanted, label)
}

// needle is a text that each line with a wanted span has, so that others need not be
// read. With lower the line is to be looked at in lower case.
func (q *Query) needle() (needle []byte, lower bool) {
	quoted := func(s string) []byte {
		text, _ := json.Marshal(s) // a string always can be
		return text
	}
	switch {
	case q.Prefix.IsValid() && q.Prefix.IsSingleIP():
		return []byte(`"addr":"` + q.Prefix.Addr().String() + `"`), false
	case q.Client != "":
		return quoted(q.Client), false
	case q.Circuit != "":
		return quoted(q.Circuit), false
	case q.Name != "" && plain(q.Name):
		text := quoted(strings.ToLower(q.Name))
		return text[:len(text)-1], true // it may be the first label
	}
	return nil, false
}

// plain reports whether a name is of printable ASCII that JSON writes as it is.
func plain(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"\<>&`, r) })
}

// Find returns the wanted spans, also those that are in no file yet.
func (l *Log) Find(ctx context.Context, q Query) (Answer, error) {
	f := finder{query: q, found: make(map[id]Span)}
	l.disk.Lock() // nothing is on its way from memory to a file
	l.mu.Lock()
	for _, t := range l.running {
		f.add(t.Span)
	}
	for _, s := range l.ended {
		f.add(s)
	}
	l.mu.Unlock()
	l.disk.Unlock()
	if err := l.search(ctx, &f); err != nil {
		return Answer{}, err
	}
	return f.answer(), nil
}

// Read is Find without a server: it reads the files of a folder, without a lock and
// without a write (C-2).
func Read(ctx context.Context, folder string, q Query) (Answer, error) {
	l, err := Open(Options{Folder: folder}, time.Time{})
	if err != nil {
		return Answer{}, err
	}
	return l.Find(ctx, q)
}

// search looks through the files of the days in which a wanted span may have ended.
func (l *Log) search(ctx context.Context, f *finder) error {
	if l.options.Folder == "" {
		return nil
	}
	days, err := l.days()
	if err != nil {
		return err
	}
	if len(days) > 0 {
		f.since = days[0]
	}
	needle, lower := f.query.needle()
	for _, day := range days {
		if day < f.query.From.UTC().Format(dayForm) && !f.query.From.IsZero() {
			continue
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		if err := f.look(l.path(day+daySuffix), needle, lower); err != nil {
			return err
		}
	}
	return nil
}

// finder collects wanted spans. Of two records of a span the one that ended counts.
type finder struct {
	query   Query
	found   map[id]Span
	since   string
	damaged int
	room    []byte // for a part of a file
	low     []byte // for the same in lower case
}

func (f *finder) add(s Span) {
	if f.query.Matches(&s) {
		f.found[s.id()] = s
	}
}

// take looks at one line.
func (f *finder) take(line []byte) {
	s, err := parseSpan(line)
	if err != nil {
		f.damaged++
		return
	}
	f.add(s)
}

// look looks through a file: at each line, or where there is a needle at the lines that
// have it.
func (f *finder) look(path string, needle []byte, lower bool) error {
	if len(needle) == 0 {
		return eachLine(path, func(line []byte) error {
			f.take(line)
			return nil
		})
	}
	file, err := os.Open(path) //nolint:gosec // G304: a file of the folder
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // it was only read
	return f.lookThrough(file, needle, lower)
}

// block is how much of a file is searched at once. It is a good deal more than a line.
const block = 8 * maxLine

func (f *finder) lookThrough(r io.Reader, needle []byte, lower bool) error {
	if f.room == nil {
		f.room, f.low = make([]byte, block), make([]byte, block)
	}
	for have := 0; ; {
		n, err := io.ReadFull(r, f.room[have:])
		have += n
		ended := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !ended {
			return err
		}
		whole := bytes.LastIndexByte(f.room[:have], '\n') + 1
		if ended || whole == 0 { // a line that is longer than all of it is damaged anyway
			whole = have
		}
		text, searched := f.room[:whole], f.room[:whole]
		if lower {
			searched = lowered(f.low[:0], text)
		}
		f.hits(text, searched, needle)
		if ended {
			return nil
		}
		have = copy(f.room, f.room[whole:have])
	}
}

// hits takes the lines of text where searched has the needle.
func (f *finder) hits(text, searched, needle []byte) {
	for begin := 0; ; {
		hit := bytes.Index(searched[begin:], needle)
		if hit < 0 {
			return
		}
		hit += begin
		line := bytes.LastIndexByte(text[:hit], '\n') + 1
		end := bytes.IndexByte(text[hit:], '\n') + 1
		if end == 0 {
			end = len(text) - hit
		}
		begin = hit + end
		f.take(text[line:begin])
	}
}

// lowered adds text to b with the letters of ASCII in lower case.
func lowered(b, text []byte) []byte {
	begin := len(b)
	b = append(b, text...)
	for i, c := range b[begin:] {
		if 'A' <= c && c <= 'Z' {
			b[begin+i] = c + 'a' - 'A'
		}
	}
	return b
}

func (f *finder) answer() Answer {
	limit := f.query.Limit
	if limit <= 0 || limit > MaxFound {
		limit = MaxFound
	}
	a := Answer{Spans: make([]Span, 0, len(f.found)), Since: f.since, Damaged: f.damaged}
	for _, s := range f.found {
		a.Spans = append(a.Spans, s)
	}
	slices.SortFunc(a.Spans, func(x, y Span) int {
		return cmp.Or(x.Begin.Compare(y.Begin), x.Addr.Compare(y.Addr), x.End.Compare(y.End), cmp.Compare(x.Client, y.Client))
	})
	if more := len(a.Spans) - limit; more > 0 {
		a.Spans, a.More = a.Spans[more:], true
	}
	return a
}
