package status

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/page"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/printable"
)

const (
	keptMessages = 500 // that are remembered
	// mostMessages is how many messages a second are remembered at most. A flood would
	// push out all others at once, and nobody can read it.
	mostMessages = 200
	feedRoom     = 1024 // messages that wait to be remembered
	// viewerRoom is how many messages wait for one who watches. Whose line is slower
	// than that is cut off (WEB-10).
	viewerRoom    = 256
	mostViewers   = 16
	messagesAbout = 20 // of one address or client
	writeWait     = 5 * time.Second
	heartbeat     = 15 * time.Second
	viewFor       = time.Hour // then the browser begins anew
)

// messageView is a message and what was decided about it, for pages and JSON. Names in it
// are harmless to show.
type messageView struct {
	ID        uint64       `json:"id"` // it grows from message to message
	At        time.Time    `json:"at"`
	Message   string       `json:"message"` // DHCPDISCOVER and so on
	Client    string       `json:"client"`
	Name      string       `json:"name,omitempty"` // the client's own word
	Machine   string       `json:"machine,omitempty"`
	Verdict   string       `json:"verdict"`
	Reason    string       `json:"reason"`
	Words     string       `json:"words"`          // the reason for people
	Rule      string       `json:"rule,omitempty"` // that decided
	Address   netip.Addr   `json:"address,omitzero"`
	Static    bool         `json:"static"`
	Network   netip.Prefix `json:"network,omitzero"`
	Relay     netip.Addr   `json:"relay,omitzero"`
	Interface string       `json:"interface,omitempty"`
	Mood      page.Mood    `json:"mood"`
	Explain   string       `json:"explain,omitempty"` // query of the explain page
}

func newMessage(id uint64, m *instance.Seen) messageView {
	v := messageView{
		ID: id, At: m.At, Message: m.Type.String(), Client: string(m.Client), Name: printable.Text(m.Hostname), Machine: printable.Text(m.Machine),
		Verdict: m.Verdict.String(), Reason: string(m.Reason), Words: words(m.Reason), Rule: m.Rule, Address: m.Addr, Static: m.Static, Network: m.Network,
		Relay: m.Relay, Interface: printable.Text(m.Interface), Mood: verdictMood(m.Verdict, m.Reason), Explain: questionOf(m).query(),
	}
	return v
}

// verdictMood is the class of a verdict: refusals and silence for want of something stand
// out, and silence that is right does not.
func verdictMood(v lease.Verdict, r lease.Reason) page.Mood {
	switch v {
	case lease.Offer, lease.Ack, lease.Informed, lease.BootReply, lease.Taken:
		return page.Good
	case lease.Nak:
		return page.Bad
	case lease.Silent:
	}
	switch r {
	case lease.ReasonOtherServer, lease.ReasonStandby, lease.ReasonNothingToDo, lease.ReasonBusy:
		return "quiet"
	case lease.ReasonPoolEmpty, lease.ReasonStoreFailed, lease.ReasonNoSnapshot, lease.ReasonStale:
		return page.Bad
	default:
		return page.Drift
	}
}

// filter says which messages are wanted; the zero value: all.
type filter struct {
	client  lease.ClientID
	addr    netip.Addr
	prefix  netip.Prefix
	text    string // lower case, part of a name
	verdict string // in lower case
}

// newFilter reads q and verdict. An error says what cannot be understood.
func newFilter(q url.Values) (f filter, err error) {
	text := strings.TrimSpace(q.Get("q"))
	if len(text) > page.LongestQuery || !utf8.ValidString(text) {
		return f, errors.New("q: want text of at most 200 bytes")
	}
	f.verdict = strings.ToLower(q.Get("verdict"))
	if f.verdict != "" && !slices.Contains(verdicts(), f.verdict) {
		return f, fmt.Errorf("verdict: want one of %s", strings.Join(verdicts(), ", "))
	}
	if prefix, err := netip.ParsePrefix(text); err == nil {
		f.prefix = prefix.Masked()
	} else if addr, ok := parseAddr(text); ok {
		f.addr = addr
	} else if id, ok := clientOf(text); ok {
		f.client = id
	} else {
		f.text = strings.ToLower(text)
	}
	return f, nil
}

// verdicts are those that can be asked for.
func verdicts() (list []string) {
	for _, v := range []lease.Verdict{lease.Offer, lease.Ack, lease.Nak, lease.Silent, lease.Informed, lease.BootReply, lease.Taken} {
		list = append(list, strings.ToLower(v.String()))
	}
	return list
}

// narrow reports whether few messages can match: those are told of in a flood, too.
func (f filter) narrow() bool { return f.client != "" || f.addr.IsValid() }

func (f filter) matches(m *instance.Seen) bool {
	switch {
	case f.verdict != "" && f.verdict != strings.ToLower(m.Verdict.String()), f.client != "" && f.client != m.Client && f.client != m.Hardware, f.addr.IsValid() && f.addr != m.Addr,
		f.prefix.IsValid() && (!m.Addr.IsValid() || !f.prefix.Contains(m.Addr)) && f.prefix != m.Network:
		return false
	}
	return f.text == "" || strings.Contains(strings.ToLower(m.Hostname), f.text) || strings.Contains(strings.ToLower(m.Machine), f.text)
}

// about is matches for a message of which no copy was made yet.
func (f filter) about(m *lease.ClientMessage, d *lease.Decision) bool {
	return f.client != "" && f.client == m.Client || f.addr.IsValid() && (f.addr == m.Asked() || d.Addr.IsValid() && f.addr == d.Addr.Addr())
}

// feed remembers the last messages, and tells those who watch.
type feed struct {
	watch  *instance.Watch
	served served
	budget budget
	// narrow are the filters of those who watch one client or address; packets read it
	// without a lock.
	narrow atomic.Pointer[[]filter]

	mu       sync.Mutex
	messages []kept // the oldest first
	next     uint64
	viewers  map[*viewer]bool
}

type kept struct {
	seen instance.Seen
	view messageView
}

// viewer is one who watches.
type viewer struct {
	filter filter
	room   chan messageView // closed: the viewer is too slow
}

func newFeed(ctx context.Context, i *instance.Instance) *feed {
	f := &feed{viewers: make(map[*viewer]bool), next: 1}
	f.served.seed = maphash.MakeSeed()
	f.watch = i.Watch(feedRoom, f.wants)
	go func() {
		defer f.watch.Close()
		for {
			select {
			case <-ctx.Done():
				return
			case m := <-f.watch.C:
				f.tell(m)
			}
		}
	}()
	return f
}

// wants counts those who are served, and says which messages are to be told. Packets call
// it.
func (f *feed) wants(m *lease.ClientMessage, d *lease.Decision) bool {
	now := time.Now()
	if d.Verdict == lease.Ack || d.Verdict == lease.BootReply {
		f.served.note(m.Client, now)
	}
	if f.budget.take(now) {
		return true
	}
	if narrow := f.narrow.Load(); narrow != nil {
		for _, one := range *narrow {
			if one.about(m, d) {
				return true
			}
		}
	}
	return false
}

// budget lets some messages of each second through.
type budget struct {
	second atomic.Int64
	used   atomic.Int32
	missed atomic.Uint64
}

func (b *budget) take(now time.Time) bool {
	if second := now.Unix(); b.second.Load() != second {
		b.second.Store(second)
		b.used.Store(0)
	}
	if b.used.Add(1) <= mostMessages {
		return true
	}
	b.missed.Add(1)
	return false
}

// tell remembers a message and hands it to those who watch.
func (f *feed) tell(m instance.Seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	k := kept{m, newMessage(f.next, &m)}
	f.next++
	if len(f.messages) == keptMessages {
		f.messages = slices.Delete(f.messages, 0, keptMessages/10)
	}
	f.messages = append(f.messages, k)
	for v := range f.viewers {
		if !v.filter.matches(&m) {
			continue
		}
		select {
		case v.room <- k.view:
		default: // its line is too slow (WEB-10)
			f.drop(v)
			close(v.room)
		}
	}
}

// last are the last messages that match, the newest first; at most most.
func (f *feed) last(want filter, most int) []messageView {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := []messageView{}
	for _, k := range slices.Backward(f.messages) {
		if len(list) == most {
			break
		}
		if want.matches(&k.seen) {
			list = append(list, k.view)
		}
	}
	return list
}

// join lets one watch, from the message after that with the id on. nil: too many do.
func (f *feed) join(want filter, after uint64) *viewer {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.viewers) == mostViewers {
		return nil
	}
	v := &viewer{filter: want, room: make(chan messageView, viewerRoom+keptMessages)}
	for _, k := range f.messages {
		if after > 0 && k.view.ID > after && want.matches(&k.seen) {
			v.room <- k.view
		}
	}
	f.viewers[v] = true
	f.changed()
	return v
}

func (f *feed) leave(v *viewer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(v)
}

func (f *feed) drop(v *viewer) {
	delete(f.viewers, v)
	f.changed()
}

// changed tells packets of the filters there are now.
func (f *feed) changed() {
	var narrow []filter
	for v := range f.viewers {
		if v.filter.narrow() {
			narrow = append(narrow, v.filter)
		}
	}
	f.narrow.Store(&narrow)
}

// served counts the clients that were served within an hour. They are told apart by a hash
// of their keys: two that share one would count once.
type served struct {
	seed   maphash.Seed
	shards [16]servedShard
	full   atomic.Int64 // unix time at which a client found no room; 0: never
}

type servedShard struct {
	mu      sync.Mutex
	minutes map[uint64]int32 // of the last answer, since 1970
}

// mostServed is how many clients a part of served has room for.
const mostServed = 1 << 14

func (s *served) note(id lease.ClientID, now time.Time) {
	hash := maphash.String(s.seed, string(id))
	minute := int32(now.Unix() / 60) //nolint:gosec // G115: until the year 6000
	shard := &s.shards[hash%uint64(len(s.shards))]
	shard.mu.Lock()
	defer shard.mu.Unlock()
	if shard.minutes == nil {
		shard.minutes = make(map[uint64]int32)
	}
	if before, known := shard.minutes[hash]; !known && len(shard.minutes) >= mostServed {
		s.full.Store(now.Unix())
		return
	} else if known && before == minute {
		return
	}
	shard.minutes[hash] = minute
}

// count is how many there are, and forgets others. more: there were some without room.
func (s *served) count(now time.Time) (n int, more bool) {
	since := int32(now.Add(-time.Hour).Unix() / 60) //nolint:gosec // G115: until the year 6000
	for i := range s.shards {
		shard := &s.shards[i]
		shard.mu.Lock()
		for hash, minute := range shard.minutes {
			if minute < since {
				delete(shard.minutes, hash)
			}
		}
		n += len(shard.minutes)
		shard.mu.Unlock()
	}
	full := s.full.Load()
	return n, full != 0 && now.Unix()-full < 3600
}

// livePage lists the last messages; its script adds those that come.
type livePage struct {
	page.Frame
	Messages []messageView
	Verdict  string
	Verdicts []string
	Lost     uint64
}

func (s *site) livePage(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	want, err := newFilter(q)
	if err != nil {
		s.Fail(w, r, http.StatusBadRequest, "The filter cannot be understood: "+err.Error()+".")
		return
	}
	shown := livePage{
		Frame: s.Frame("Messages", "./"), Messages: s.feed.last(want, 100), Verdict: want.verdict, Verdicts: verdicts(),
		Lost: s.feed.watch.Lost() + s.feed.budget.missed.Load(),
	}
	shown.Query, shown.Here, shown.Script, shown.Reload = q.Get("q"), "live", "live.js", 5
	s.Render(w, http.StatusOK, "live", shown)
}

type messageList struct {
	Count   int           `json:"count"` // of those that are told
	Lost    uint64        `json:"lost"`  // since the start: too many at once to remember
	Results []messageView `json:"results"`
}

// messagesJSON answers q, verdict and limit.
func (s *site) messagesJSON(w http.ResponseWriter, r *http.Request) {
	want, err := newFilter(r.URL.Query())
	limit, ok := page.Number(r.URL.Query().Get("limit"), 100)
	if err == nil && (!ok || limit < 1 || limit > keptMessages) {
		err = fmt.Errorf("want limit 1 to %d", keptMessages)
	}
	if err != nil {
		s.Refuse(w, err.Error())
		return
	}
	list := s.feed.last(want, limit)
	s.JSON(w, http.StatusOK, messageList{Count: len(list), Lost: s.feed.watch.Lost() + s.feed.budget.missed.Load(), Results: list})
}

// stream tells messages as they come, as server-sent events (WEB-10).
func (s *site) stream(w http.ResponseWriter, r *http.Request) {
	want, err := newFilter(r.URL.Query())
	if err != nil {
		s.Refuse(w, err.Error())
		return
	}
	after, _ := page.Number(cmp.Or(r.Header.Get("Last-Event-ID"), r.URL.Query().Get("after")), 0)
	v := s.feed.join(want, uint64(after)) //nolint:gosec // G115: not negative
	if v == nil {
		s.JSON(w, http.StatusServiceUnavailable, page.Trouble{Error: fmt.Sprintf("%d watch already, and no more may", mostViewers)})
		return
	}
	defer s.feed.leave(v)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	control := http.NewResponseController(w)
	send := func(text string) bool {
		_ = control.SetWriteDeadline(time.Now().Add(writeWait)) // where it cannot be set, that of the server holds
		_, err := fmt.Fprint(w, text)
		return err == nil && control.Flush() == nil
	}
	if !send("retry: 3000\n\n") {
		return
	}
	beat, end := time.NewTicker(heartbeat), time.NewTimer(viewFor)
	defer beat.Stop()
	defer end.Stop()
	for open := true; open; {
		select {
		case <-r.Context().Done():
			return
		case <-s.ended:
			return
		case <-end.C:
			return
		case <-beat.C:
			open = send(": still here\n\n")
		case m, more := <-v.room:
			text, err := json.Marshal(m)
			open = more && err == nil && send(fmt.Sprintf("id: %d\ndata: %s\n\n", m.ID, text))
		}
	}
}
