package launch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/logline"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// B-14: the reader runs chains of plugins that are known to wait for nothing.
func TestChainsThatTheReaderRuns(t *testing.T) {
	for names, want := range map[string]bool{
		"server_id netbox netbox_gateway netbox_dns netbox_pxe nak": true,
		"netbox": true, "server_id dns router netmask lease_time netbox mtu searchdomains staticroute": true,
		"netbox sleep": false, "file netbox": false, "server_id range": false, "netbox of_another_program": false,
	} {
		var chain settings.Chain
		for _, name := range strings.Fields(names) {
			chain.Plugins = append(chain.Plugins, settings.Plugin{Name: name})
		}
		if got := promptPlugins(chain); got != want {
			t.Errorf("%s: %v", names, got)
		}
	}
}

// stuck is a log that takes nothing until it is let go.
type stuck struct {
	let  chan struct{}
	text bytes.Buffer
}

func (s *stuck) Write(p []byte) (int, error) {
	<-s.let
	return s.text.Write(p)
}

// B-15: the line about lost lines is one like all others.
func TestTheLogTellsWhatItLost(t *testing.T) {
	for _, json := range []bool{false, true} {
		out := &stuck{let: make(chan struct{})}
		log := logrus.New()
		log.SetOutput(out)
		log.SetFormatter(logline.Formatter{JSON: json})
		queue, end := queueLog(log.WithField("prefix", "main"))
		for range 3000 {
			log.Info("something that happens often")
		}
		close(out.let)
		end()
		want := fmt.Sprintf(`level=warning msg="lines of the log were lost: what it is written to takes no more" lost=%d prefix=main`, queue.Lost())
		if json {
			want = fmt.Sprintf(`{"level":"warning","lost":%d,"msg":"lines of the log were lost: what it is written to takes no more","prefix":"main",`, queue.Lost())
		}
		if n := strings.Count(out.text.String(), want); n != 1 || queue.Lost() == 0 {
			t.Errorf("%d lines about %d lost ones, want 1: %.400s", n, queue.Lost(), out.text.String())
		}
		if log.Out != out {
			t.Error("the log still goes through the queue")
		}
	}
}
