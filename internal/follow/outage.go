package follow

import (
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/netbox"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
)

// outage logs that NetBox cannot be read, and that it can again: one line each,
// and one for each other reason.
type outage struct {
	log    logrus.FieldLogger
	once   *quiet.Logger
	reason netbox.Kind // why NetBox cannot be read at the moment; empty: it can
	since  time.Time
}

func (o *outage) report(err error, now time.Time, served bool) {
	if err == nil {
		if o.reason != "" {
			o.log.WithField("outage", now.Sub(o.since).Round(time.Second).String()).Info("NetBox can be read again")
		}
		o.reason = ""
		return
	}
	reason := netbox.KindOf(err)
	if reason == "" {
		reason = "other"
	}
	if o.reason == "" {
		o.since = now
	}
	if o.reason != reason {
		message := "NetBox cannot be read; the last snapshot stays in use"
		if !served {
			message = "NetBox cannot be read; no client is served until it can"
		}
		o.once.Error(string(reason), message, logrus.Fields{logrus.ErrorKey: err})
	}
	o.reason = reason
}
