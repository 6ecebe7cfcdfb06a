package instance

import (
	"context"
	"time"

	"github.com/sirupsen/logrus"
)

// heardEvery is how often the store is told which owners of addresses were heard.
const heardEvery = 10 * time.Minute

// keepHeard tells the store which owners of addresses were heard, until ctx ends
// (CL-8).
func (i *Instance) keepHeard(ctx context.Context) {
	tick := time.NewTicker(heardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.Background(), diskPatience)
			defer cancel()
			i.tellHeard(last)
			return
		case <-tick.C:
			i.tellHeard(ctx)
		}
	}
}

func (i *Instance) tellHeard(ctx context.Context) {
	if err := i.Engine.KeepHeard(ctx); err != nil {
		i.Quiet.Warn("heard", "when owners of addresses were heard may not outlive a restart: claims then wait", logrus.Fields{logrus.ErrorKey: err})
	}
}
