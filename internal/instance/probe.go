package instance

import (
	"context"
	"errors"
	"net/netip"
	"time"

	probing "github.com/prometheus-community/pro-bing"
	"github.com/sirupsen/logrus"
)

// echo reports whether addr answers an ICMP echo request within wait. An error
// says that it could not be asked.
func (i *Instance) echo(ctx context.Context, addr netip.Addr, wait time.Duration) (bool, error) {
	pinger := probing.New(addr.String())
	pinger.SetPrivileged(true)
	pinger.SetLogger(nil)
	pinger.Count = 1
	pinger.Timeout = wait
	if err := pinger.RunWithContext(ctx); err != nil {
		i.Quiet.Warn("probe", "address cannot be probed", logrus.Fields{"addr": addr, "error": err})
		return false, err
	}
	seen := pinger.Statistics()
	if seen.PacketsSent == 0 {
		return false, errors.New("the request was not sent")
	}
	return seen.PacketsRecv > 0, nil
}

// inUse says that an unknown host uses addr. Where hosts fill a pool, each DISCOVER
// finds up to three of them (A-7, B-2).
func (i *Instance) inUse(addr netip.Addr) {
	i.Quiet.Warn("in_use "+addr.String(), "address is in use by an unknown host: quarantined", logrus.Fields{"addr": addr})
}
