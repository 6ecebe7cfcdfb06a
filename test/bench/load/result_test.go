package load

import (
	"errors"
	"math"
	"testing"
	"time"
)

func TestQuantileIsTheNearestRank(t *testing.T) {
	hundred := make([]time.Duration, 100)
	for i := range hundred {
		hundred[i] = time.Duration(i + 1)
	}
	for _, c := range []struct {
		values []time.Duration
		share  float64
		want   time.Duration
	}{
		{nil, 0.5, 0},
		{[]time.Duration{7}, 0, 7},
		{[]time.Duration{7}, 0.99, 7},
		{[]time.Duration{1, 2, 3}, 0.5, 2},
		{[]time.Duration{1, 2, 3, 4}, 0.5, 2},
		{hundred, 0.5, 50},
		{hundred, 0.99, 99},
		{hundred, 0.991, 100},
		{hundred, 1, 100},
	} {
		if got := quantile(c.values, c.share); got != c.want {
			t.Errorf("%v of %d values: %d, want %d", c.share, len(c.values), got, c.want)
		}
	}
}

func TestSustainedMeansNoLossAndNoBacklog(t *testing.T) {
	result := func(started, done int, took time.Duration) *Result {
		return &Result{Started: started, whole: make([]time.Duration, done), Took: took}
	}
	for _, c := range []struct {
		name string
		r    *Result
		want bool
	}{
		{"all in time", result(1000, 1000, time.Second), true},
		{"a loss below one percent", result(1000, 991, time.Second), true},
		{"a loss of one percent", result(1000, 990, time.Second), false},
		{"a backlog", result(1000, 1000, 1100*time.Millisecond), false},
		{"nothing", result(0, 0, 0), false},
	} {
		if got := c.r.Sustained(1000); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestSearchFindsTheHighestRate(t *testing.T) {
	for _, limit := range []float64{301, 700, 1234, 1349} {
		tries := 0
		got, err := Search(300, 1350, func(rate float64) (bool, error) {
			tries++
			return rate <= limit, nil
		})
		if err != nil || got > limit || got < limit/1.05 && limit > 320 || tries > 7 {
			t.Errorf("limit %v: %v in %d tries, %v", limit, got, tries, err)
		}
	}
}

func TestSearchThatFindsNothing(t *testing.T) {
	if got, err := Search(300, 1350, func(float64) (bool, error) { return false, nil }); got != 0 || err != nil {
		t.Errorf("nothing is sustained: %v, %v", got, err)
	}
	failure := errors.New("broken")
	if _, err := Search(300, 1350, func(float64) (bool, error) { return true, failure }); !errors.Is(err, failure) {
		t.Errorf("a failed try: %v", err)
	}
	if got, err := Search(300, 1350, func(float64) (bool, error) { return true, nil }); err != nil || math.Abs(got/1350-1) > 0.06 {
		t.Errorf("all is sustained: %v, %v", got, err)
	}
}
