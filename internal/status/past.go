package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/history"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

const (
	pastShown = 50              // spans of one address or client
	pastWait  = 2 * time.Second // how long a page waits for the history
)

// past is who had an address, or which addresses a client had, as the history has it.
type past struct {
	Spans   []history.Span `json:"spans"` // the newest first
	More    bool           `json:"more"`  // earlier ones were left out
	Since   string         `json:"since,omitempty"`
	Damaged int            `json:"damaged"`           // lines of files that could not be read
	Trouble string         `json:"trouble,omitempty"` // a sentence: why nothing is known
	Command string         `json:"-"`                 // that tells it on the server
}

// pastOf asks the history. It is the only thing on a page that is read from the disk: one
// question at a time, and whatever the disk does, the page is there after pastWait, with a
// sentence in place of what could not be read (WEB-15).
func (s *site) pastOf(ctx context.Context, q history.Query, command string) past {
	q.Limit = pastShown
	p := past{Spans: []history.Span{}, Command: command}
	if instance.HistoryFolder(s.Instance.Settings) == "" {
		p.Trouble = "No history is kept: netbox.history.keep is 0."
		return p
	}
	answer, err := s.askHistory(ctx, q)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled): // or who asked is gone
		p.Trouble = fmt.Sprintf("The history could not be read within %d seconds. The command reads it as long as it takes.", int(pastWait.Seconds()))
	case errors.Is(err, instance.ErrNoHistory):
		p.Trouble = "The history is not there yet: the server reads it after its start."
	case err != nil:
		p.Trouble = "The history cannot be read: the log of the server says why."
		s.Instance.Quiet.Error("history page", "the status page cannot read the history", logrus.Fields{logrus.ErrorKey: err})
	default:
		slices.Reverse(answer.Spans)
		p.Spans, p.More, p.Since, p.Damaged = answer.Spans, answer.More, answer.Since, answer.Damaged
	}
	return p
}

// askHistory waits for the answer, and no longer than pastWait. A question that the disk
// keeps longer keeps its place.
func (s *site) askHistory(ctx context.Context, q history.Query) (history.Answer, error) {
	ctx, stop := context.WithTimeout(ctx, pastWait)
	defer stop()
	select {
	case s.reading <- struct{}{}:
	case <-ctx.Done():
		return history.Answer{}, ctx.Err()
	}
	type answer struct {
		history.Answer
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		defer func() { <-s.reading }()
		a, err := s.Instance.Who(ctx, q)
		answered <- answer{a, err}
	}()
	select {
	case a := <-answered:
		return a.Answer, a.err
	case <-ctx.Done():
		return history.Answer{}, ctx.Err()
	}
}
