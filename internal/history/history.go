// Package history keeps who had which address, and when: one span for each client
// and address, with all renewals in it. Spans that run are in memory, what ended is in
// one file a day. It is told what was seen and asked about it; it knows neither
// packets nor Windows servers, and must not be waited for by what serves clients: its
// writes take as long as the disk does.
package history

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// How says how a span ended.
type How string

// The closed list of ends.
const (
	Released   How = "released"    // the client gave the address back
	Expired    How = "expired"     // it did not renew in time
	Operator   How = "operator"    // an operator ended it
	Declined   How = "declined"    // the client found that another host uses it
	Taken      How = "taken"       // another client has it
	ServerDown How = "server_down" // its time ended while nothing watched: how is not known
	Gone       How = "gone"        // the server that was watched does not list it any more
)

// Words says it to people.
func (h How) Words() string {
	switch h {
	case Operator:
		return "ended by an operator"
	case Taken:
		return "taken by another client"
	case ServerDown:
		return "not known, the server was down"
	case Gone:
		return "not listed any more"
	}
	return string(h)
}

// Span is that a client had an address for a while. Times are in UTC and whole seconds.
// All texts are untrusted.
type Span struct {
	Addr   netip.Addr `json:"addr"`
	VRF    int64      `json:"vrf,omitempty"` // id in NetBox; 0: the one that is served, or the global table
	Client string     `json:"client"`        // client key; of an identifier that counts, that one
	// Hardware is the hardware address of a client whose key is its identifier; empty: the
	// key is it.
	Hardware  string       `json:"hardware,omitempty"`
	Hostname  string       `json:"hostname,omitempty"` // the client's own word
	Machine   string       `json:"machine,omitempty"`  // name in NetBox
	Static    bool         `json:"static,omitempty"`
	Network   netip.Prefix `json:"network,omitzero"`
	Relay     netip.Addr   `json:"relay,omitzero"`
	Interface string       `json:"interface,omitempty"`
	Circuit   string       `json:"circuit,omitempty"` // circuit-id as circuit.Text has it
	Remote    string       `json:"remote,omitempty"`  // remote-id, likewise
	Server    string       `json:"server,omitempty"`  // that leased it; empty: this one

	Begin time.Time `json:"begin"`
	Heard time.Time `json:"heard"`          // last
	Until time.Time `json:"until,omitzero"` // promised; zero: no end was
	End   time.Time `json:"end,omitzero"`   // zero: it runs
	How   How       `json:"how,omitempty"`
}

// place is where one client at a time is.
type place struct {
	addr netip.Addr
	vrf  int64
}

// id is what two records of one span have in common.
type id struct {
	place
	client string
	begin  int64
}

func (s *Span) place() place { return place{s.Addr, s.VRF} }
func (s *Span) id() id       { return id{s.place(), s.Client, s.Begin.Unix()} }

// maxText is how many bytes of a text are kept; names have 255 at most.
const maxText = 512

// tidy makes a sighting fit to be kept.
func (s *Span) tidy() {
	for _, text := range []*string{&s.Client, &s.Hardware, &s.Hostname, &s.Machine, &s.Interface, &s.Circuit, &s.Remote, &s.Server} {
		*text = strings.ToValidUTF8((*text)[:min(len(*text), maxText)], "?")
	}
	s.Begin, s.Heard, s.Until, s.End = seconds(s.Begin), seconds(s.Heard), seconds(s.Until), seconds(s.End)
}

func seconds(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Second)
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// renew takes over what a later sighting of the same client says. Time never runs
// backwards, whatever the clock is set to (HI-3).
func (s *Span) renew(o Span) {
	if !o.Heard.Before(s.Heard) {
		s.Heard, s.Until = o.Heard, o.Until
	}
	for _, text := range []struct {
		kept *string
		now  string
	}{{&s.Hardware, o.Hardware}, {&s.Hostname, o.Hostname}, {&s.Machine, o.Machine}, {&s.Interface, o.Interface}, {&s.Circuit, o.Circuit}, {&s.Remote, o.Remote}, {&s.Server, o.Server}} {
		if text.now != "" {
			*text.kept = text.now
		}
	}
	s.Static = o.Static
	if o.Network.IsValid() {
		s.Network = o.Network
	}
	if o.Relay.IsValid() {
		s.Relay = o.Relay
	}
}

// Options say how a Log works.
type Options struct {
	// Folder is where files are; empty: nothing is kept beyond the memory.
	Folder string
	// Keep is how long a span is kept after its end; MaxBytes bounds all files together,
	// and the oldest days go first (HI-5). 0 bounds nothing.
	Keep     time.Duration
	MaxBytes int64
	// Unwritten is how much of what was heard last may be lost when the program is killed:
	// how often Checkpoint is called.
	Unwritten time.Duration
	// Polled says that clients are looked at now and then, as in a list of leases, and may
	// have renewed between: a span ends only when it is said to.
	Polled bool
	// Check is asked about a span whose time is over, and for each span by Reconcile: until
	// when it runs in truth, or how it ended. A zero time and no end: nothing is known. nil:
	// nobody knows more.
	Check func(Span) (until time.Time, how How)
	// MayDrop reports whether the clock can be trusted enough to drop old days. nil: always.
	MayDrop func() bool
	// Dropped hears of each day whose file was dropped, and whether that was for want of
	// room. nil: nobody does.
	Dropped func(day string, room bool)
	// Own is called with each file and folder that was made. nil: nothing has to be done.
	Own func(path string) error
}

// Log is one history. It is safe for concurrent use. Saw, Ended and EndedAt never wait
// for the disk.
type Log struct {
	options Options

	mu      sync.Mutex
	running map[place]*tracked
	ends    map[place]time.Time // of spans that ended later than now, after the clock was set back
	begun   []Span              // not in a file yet
	ended   []Span              // not in a file yet
	lost    uint64              // ended spans that no file will have
	started time.Time           // when this Log was opened
	day     string              // of the last file

	disk  sync.Mutex // one thing at a time
	bytes int64      // of all files, as far as known; under mu
	full  bool       // MaxBytes is reached by today alone; under mu
}

// tracked is a span that runs.
type tracked struct {
	Span
	// unsure says that renewals may have been missed, since another process saw it last.
	unsure bool
}

// maxPending is how many spans wait for a disk at most.
const maxPending = 1 << 16

// over reports whether the time of a span has passed at the time given. One that may
// have been renewed unseen has as much more as may have been lost (HI-4).
func (l *Log) over(t *tracked, at time.Time) bool {
	if t.Until.IsZero() || l.options.Polled {
		return false
	}
	deadline := t.Until
	if t.unsure {
		deadline = deadline.Add(l.options.Unwritten)
	}
	return at.After(deadline)
}

// Saw notes that a client has an address: it was heard at s.Heard and may stay until
// s.Until. It reports whether a span began with that, and which one ended.
func (l *Log) Saw(s Span) (began bool, ended []Span) {
	s.tidy()
	l.mu.Lock()
	defer l.mu.Unlock()
	old := l.running[s.place()]
	switch {
	case old == nil:
	case l.over(old, s.Heard):
		ended = append(ended, l.end(old, old.Until, l.lapsed(old)))
	case old.Client == s.Client:
		old.renew(s)
		old.unsure = false
		return false, nil
	default:
		ended = append(ended, l.end(old, s.Heard, Taken))
	}
	s.Begin, s.End, s.How = later(s.Heard, l.ends[s.place()]), time.Time{}, ""
	s.Heard = later(s.Heard, s.Begin)
	l.running[s.place()] = &tracked{Span: s}
	if len(l.begun) < maxPending { // else the next checkpoint has it
		l.begun = append(l.begun, s)
	}
	return true, ended
}

// lapsed is how a span ended whose time is over.
func (l *Log) lapsed(t *tracked) How {
	if t.unsure && t.Until.Before(l.started) {
		return ServerDown
	}
	return Expired
}

// end ends a span. mu is held.
func (l *Log) end(t *tracked, at time.Time, how How) Span {
	t.End, t.How = later(seconds(at), t.Heard), how
	delete(l.running, t.place())
	l.ends[t.place()] = t.End
	if len(l.ended) < maxPending && !l.full {
		l.ended = append(l.ended, t.Span)
	} else {
		l.lost++
	}
	return t.Span
}

// Ended notes that the span of a client on an address ended; false: it has none. An
// empty client is any.
func (l *Log) Ended(addr netip.Addr, vrf int64, client string, at time.Time, how How) (Span, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.running[place{addr, vrf}]
	if t == nil || client != "" && t.Client != client {
		return Span{}, false
	}
	return l.end(t, at, how), true
}

// Sweep ends the spans whose time is over, unless Check knows better, and returns them.
func (l *Log) Sweep(now time.Time) []Span { return l.settle(now, false) }

// Reconcile is Sweep that asks Check about each span that runs.
func (l *Log) Reconcile(now time.Time) []Span { return l.settle(now, true) }

func (l *Log) settle(now time.Time, all bool) (ended []Span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, end := range l.ends {
		if !end.After(now) {
			delete(l.ends, p)
		}
	}
	for _, t := range l.running {
		over := l.over(t, now)
		if !over && !all {
			continue
		}
		var until time.Time
		var how How
		if l.options.Check != nil {
			until, how = l.options.Check(t.Span)
		}
		switch {
		case how != "":
			at := now
			if over {
				at = t.Until
			}
			ended = append(ended, l.end(t, at, how))
		case until.After(t.Until):
			t.Until = seconds(until)
		}
		if how == "" && l.over(t, now) {
			ended = append(ended, l.end(t, t.Until, l.lapsed(t)))
		}
	}
	slices.SortFunc(ended, func(a, b Span) int { return a.Addr.Compare(b.Addr) })
	return ended
}

// Running calls fn with a copy of each span that runs.
func (l *Log) Running(fn func(Span)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, t := range l.running {
		fn(t.Span)
	}
}

// State is how a Log is doing.
type State struct {
	Running int    // spans
	Lost    uint64 // spans that ended and are in no file
	Bytes   int64  // of all files
	Full    bool   // MaxBytes leaves no room
}

// State returns how l is doing.
func (l *Log) State() State {
	l.mu.Lock()
	defer l.mu.Unlock()
	return State{Running: len(l.running), Lost: l.lost, Bytes: l.bytes, Full: l.full}
}
