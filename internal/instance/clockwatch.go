package instance

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// clockWatch says when NetBox's clock and ours begin to differ too much for
// addresses of other clients to be reclaimed, and when that ends (S-9).
type clockWatch struct {
	log   logrus.FieldLogger
	since time.Time // when it began; zero: they agree
}

// compared hears by how much NetBox's clock was ahead at a time. It is not safe
// for concurrent use.
func (w *clockWatch) compared(at time.Time, skew time.Duration) {
	fields := logrus.Fields{"ahead": skew.Round(time.Second).String()}
	switch off := lease.Skewed(skew); {
	case off && w.since.IsZero():
		w.since = at
		w.log.WithFields(fields).Error("NetBox's clock differs from ours: no address that another client had is given to a new one; set both clocks by NTP")
	case !off && !w.since.IsZero():
		fields["lasted"] = at.Sub(w.since).Round(time.Second).String()
		w.since = time.Time{}
		w.log.WithFields(fields).Info("NetBox's clock agrees with ours again")
	}
}
