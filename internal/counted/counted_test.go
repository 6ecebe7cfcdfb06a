package counted

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

type labels struct{ message, verdict string }

func vec() *Vec[labels] {
	return New(prometheus.NewCounterVec(prometheus.CounterOpts{Name: "decisions_total"}, []string{"message", "verdict"}),
		func(l labels) []string { return []string{l.message, l.verdict} })
}

func TestACounterIsTheOneOfItsLabels(t *testing.T) {
	v := vec()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 100 {
				v.Of(labels{"DISCOVER", "OFFER"}).Inc()
				v.Of(labels{"REQUEST", "ACK"}).Inc()
			}
		})
	}
	all.Wait()
	v.WithLabelValues("REQUEST", "ACK").Inc()
	for l, want := range map[labels]float64{{"DISCOVER", "OFFER"}: 800, {"REQUEST", "ACK"}: 801, {"REQUEST", "NAK"}: 0} {
		var m dto.Metric
		if err := v.WithLabelValues(l.message, l.verdict).Write(&m); err != nil {
			t.Fatal(err)
		}
		if got := m.GetCounter().GetValue(); got != want {
			t.Errorf("%v counted %v, want %v", l, got, want)
		}
	}
}

func BenchmarkOf(b *testing.B) {
	v, key := vec(), labels{"DISCOVER", "OFFER"}
	b.Run("labels", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.WithLabelValues(key.message, key.verdict).Inc()
		}
	})
	b.Run("key", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			v.Of(key).Inc()
		}
	})
}
