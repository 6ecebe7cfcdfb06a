// Package netbox is the CoreDHCP plugin that gives clients their addresses:
// the static one that NetBox assigns to their interface, or a dynamic one with
// the tag. It alone owns RELEASE and DECLINE. It translates and hands on; what
// is decided, and made durable, is package lease's.
package netbox

import (
	"errors"
	"time"

	"github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/guard"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox", Setup4: setup4}

func setup4(args ...string) (handler.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance of the settings file, which a stock build names as
// the only argument.
func setup(pool *instance.Pool, args []string) (handler.Handler4, error) {
	if len(args) > 1 {
		return nil, errors.New("netbox: takes no argument, or in a stock CoreDHCP build the path of the settings file; settings go into its netbox: section")
	}
	path := ""
	if len(args) == 1 {
		path = args[0]
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox"))
	if err != nil {
		return nil, err
	}
	h := &server{Instance: i, exchanges: &pool.Exchanges, now: time.Now, working: make(chan struct{}, maxWorking)}
	return guard.Handler4(i.Quiet, "netbox", h.handle4), nil
}
