package netbox

import (
	"testing"
	"time"
)

func TestBatchesGrowWithQuickAnswersAndShrinkWithTrouble(t *testing.T) {
	c := connect(t, "http://netbox.invalid", "x", silent())
	for range 10 {
		c.learnBatch(c.BatchSize(), time.Second, nil)
	}
	if got := c.BatchSize(); got != largestBatch {
		t.Errorf("batch of %d after quick answers, want %d", got, largestBatch)
	}
	c.learnBatch(3, time.Second, nil) // says nothing about full batches
	c.learnBatch(250, time.Minute, nil)
	if got := c.BatchSize(); got != 125 {
		t.Errorf("batch of %d after a slow answer, want 125", got)
	}
	for range 10 {
		c.learnBatch(c.BatchSize(), time.Second, &Error{Kind: TimedOut})
	}
	if got := c.BatchSize(); got != 1 {
		t.Errorf("batch of %d after trouble, want 1", got)
	}
	c.learnBatch(1, time.Second, &Error{Kind: Forbidden})
	c.learnBatch(1, time.Second, nil)
	if got := c.BatchSize(); got != 2 {
		t.Errorf("batch of %d, want 2", got)
	}
}
