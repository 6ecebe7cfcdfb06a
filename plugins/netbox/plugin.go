// Package netbox is the CoreDHCP plugin that gives clients their addresses:
// the static one that NetBox assigns to their interface, or a dynamic one with
// the tag. It alone owns RELEASE and DECLINE. It translates and hands on; what
// is decided, and made durable, is package lease's.
package netbox

import (
	"errors"
	"hash/maphash"
	"time"

	chain "github.com/coredhcp/coredhcp/handler"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/quiet"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/stock"
)

// Plugin is what a CoreDHCP main registers.
var Plugin = plugins.Plugin{Name: "netbox", Setup4: setup4}

func setup4(args ...string) (chain.Handler4, error) { return setup(instance.Default, args) }

// setup joins the instance of the settings file, which a stock build names as
// the only argument.
func setup(pool *instance.Pool, args []string) (chain.Handler4, error) {
	return setupAt(pool, args, time.Now)
}

func setupAt(pool *instance.Pool, args []string, now func() time.Time) (chain.Handler4, error) {
	path, args := instance.SplitArguments(args, false)
	if len(args) > 0 {
		return nil, errors.New("netbox: takes no argument, or in a stock CoreDHCP build the path of the settings file; settings go into its netbox: section")
	}
	i, err := pool.Join(path, logger.GetLogger("plugins/netbox"))
	if err != nil {
		return nil, err
	}
	h := &handler{Instance: i, now: now, sharers: sharers{seed: maphash.MakeSeed()}, daily: quiet.New(i.Log, 24*time.Hour, now)}
	return pool.Handler(stock.Plugin{Name: "netbox", Log: i.Quiet, Limit: maxWorking}, h.handle4), nil
}
