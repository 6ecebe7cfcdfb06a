package launch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/logline"
)

// queueLog keeps a log that is stuck from holding packets up (B-15). end writes what
// waits, and puts the log back as it was.
func queueLog(log *logrus.Entry) (queue *logline.Queue, end func()) {
	before := log.Logger.Out
	queue = logline.NewQueue(before, func(lost uint64) []byte {
		e := log.WithField("lost", lost)
		e.Time, e.Level, e.Message = time.Now(), logrus.WarnLevel, "lines of the log were lost: what it is written to takes no more"
		line, _ := log.Logger.Formatter.Format(e) // never fails
		return line
	})
	log.Logger.SetOutput(queue)
	return queue, func() {
		queue.Close()
		log.Logger.SetOutput(before)
	}
}

func lostLines(queue *logline.Queue) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "coredhcp_netbox_log_lines_lost_total",
		Help: "Lines of the log that were lost because it took no more.",
	}, func() float64 { return float64(queue.Lost()) })
}
