package netboxtest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Webhook is an event rule with its webhook: every creation, change and deletion of the named objects is POSTed to URL.
type Webhook struct {
	URL     string
	Secret  string   // signs the body; "": no signature
	Objects []string // such as "ipam.ipaddress"; none: all
}

// Delivery is one webhook request on its way.
type Delivery struct {
	Webhook    Webhook
	Event      string // created, updated or deleted
	ObjectType string
	ObjectID   int64
	Body       []byte
}

// outbox holds deliveries until a worker has sent them.
type outbox struct {
	hooks   []*Webhook
	queue   []Delivery
	held    bool
	sending bool
}

// AddWebhook makes the server send a webhook from now on, until remove: in order, each once, without retries.
func (s *Server) AddWebhook(w Webhook) (remove func()) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	hook := &w
	s.out.hooks = append(s.out.hooks, hook)
	return func() {
		s.logMu.Lock()
		defer s.logMu.Unlock()
		s.out.hooks = slices.DeleteFunc(s.out.hooks, func(other *Webhook) bool { return other == hook })
	}
}

// HoldWebhooks keeps webhooks back until SendWebhooks.
func (s *Server) HoldWebhooks() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.out.held = true
}

// SendWebhooks sends what HoldWebhooks kept back and ends the hold. arrange, if not nil, decides what is really sent: it
// may lose, repeat and reorder deliveries.
func (s *Server) SendWebhooks(arrange func([]Delivery) []Delivery) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	s.out.held = false
	if arrange != nil {
		s.out.queue = arrange(s.out.queue)
	}
	s.startSending()
}

// AwaitWebhooks blocks until every webhook not held back is sent.
func (s *Server) AwaitWebhooks() {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	for s.out.sending {
		s.changed.Wait()
	}
}

// happening is a change a transaction will announce.
type happening struct {
	event     string
	m         *model
	id        int64
	pre, post map[string]any
	data      map[string]any // of a deleted row
}

// note remembers a change for the webhooks. Several changes of one object in one request become one event.
func (t *txn) note(m *model, action string, before, after *row, pre, post map[string]any) {
	h := happening{event: action + "d", m: m}
	if before != nil {
		h.id, h.pre = before.id, withCreated(pre, before)
	}
	if after == nil {
		h.data = t.offline().render(m, before, func(string) bool { return true })
	} else {
		h.id, h.post = after.id, withCreated(post, after)
	}
	i := slices.IndexFunc(t.events, func(e happening) bool { return e.m == m && e.id == h.id })
	if i < 0 {
		t.events = append(t.events, h)
		return
	}
	if t.events[i].event == "created" && h.event == "updated" {
		h.event = "created"
	}
	h.pre = t.events[i].pre
	t.events[i] = h
}

// withCreated adds the time of creation, which webhooks show in snapshots, in milliseconds.
func withCreated(snapshot map[string]any, r *row) map[string]any {
	out := maps.Clone(snapshot)
	out["created"] = r.created.UTC().Format("2006-01-02T15:04:05.000Z")
	return out
}

// offline is the same view without a request: URLs are relative.
func (t *txn) offline() *txn {
	o := *t
	o.relative = true
	return &o
}

// sendEvents queues the webhooks of a committed transaction. The lock must be held.
func (s *Server) sendEvents(t *txn) {
	s.logMu.Lock()
	defer s.logMu.Unlock()
	for _, h := range t.events {
		for _, w := range s.out.hooks {
			if len(w.Objects) == 0 || slices.Contains(w.Objects, h.m.label) {
				s.out.queue = append(s.out.queue, Delivery{Webhook: *w, Event: h.event, ObjectType: h.m.label, ObjectID: h.id, Body: t.eventBody(h)})
			}
		}
	}
	if !s.out.held {
		s.startSending()
	}
}

// eventBody is what the version puts into a webhook.
func (t *txn) eventBody(h happening) []byte {
	v := t.s.config.Version
	data := h.data
	if r := t.get(h.m.path, h.id); data == nil && r != nil {
		data = t.offline().render(h.m, r, func(string) bool { return true })
	}
	body := map[string]any{"event": h.event, "timestamp": strings.Replace(isoTime(t.now()), "Z", "+00:00", 1), "data": data,
		"snapshots": map[string]any{"prechange": orNil(h.pre), "postchange": orNil(h.post)}}
	if v.atLeast(4) {
		body["object_type"] = h.m.label
	}
	if !v.atLeast(5) {
		_, body["model"], _ = strings.Cut(h.m.label, ".")
	}
	if !v.atLeast(7) {
		body["username"], body["request_id"] = t.call.token.User, t.call.id
	}
	if v.atLeast(6) {
		body["request"] = map[string]any{"id": t.call.id, "method": t.call.Method, "path": t.call.URL.Path, "path_info": t.call.URL.Path,
			"GET": t.call.query, "user": t.call.token.User}
	}
	return marshal(body)
}

func orNil(m map[string]any) any {
	if m == nil {
		return nil
	}
	return m
}

// startSending runs the worker unless it runs or has nothing to do. logMu must be held.
func (s *Server) startSending() {
	if s.out.sending || len(s.out.queue) == 0 || s.closed {
		return
	}
	s.out.sending = true
	s.workers.Go(s.sendAll)
}

func (s *Server) sendAll() {
	for {
		s.logMu.Lock()
		if len(s.out.queue) == 0 || s.out.held || s.closed {
			s.out.sending = false
			s.changed.Broadcast()
			s.logMu.Unlock()
			return
		}
		d := s.out.queue[0]
		s.out.queue = s.out.queue[1:]
		s.logMu.Unlock()
		d.send()
	}
}

// send makes one attempt; what happens to it is the receiver's business.
func (d Delivery) send() {
	req, err := http.NewRequest(http.MethodPost, d.Webhook.URL, bytes.NewReader(d.Body))
	if err != nil {
		return
	}
	req.Header.Set("Content-Type", "application/json")
	if d.Webhook.Secret != "" {
		mac := hmac.New(sha512.New, []byte(d.Webhook.Secret))
		mac.Write(d.Body)
		req.Header.Set("X-Hook-Signature", hex.EncodeToString(mac.Sum(nil)))
	}
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Do(req); err == nil {
		resp.Body.Close()
	}
}
