package instance

import (
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/test/netns"
)

// a request that the kernel refuses to send, here for want of a route, is not
// one that stays unanswered.
func TestAnEchoThatCannotBeSentTellsNothing(t *testing.T) {
	log := logrus.New()
	log.SetOutput(io.Discard)
	i := &Instance{Quiet: quiet.New(log, time.Minute, time.Now)}
	err := netns.New(t).Namespace("alone").Do(func() error {
		answered, err := i.echo(t.Context(), netip.MustParseAddr("192.0.2.1"), 100*time.Millisecond)
		if answered || err == nil {
			t.Errorf("answered %v, error %v", answered, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
