package launch

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/receive"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// rehearsalOf says what is rehearsed with. The zero value is what a server would start
// from.
type rehearsalOf struct {
	anew   bool             // read NetBox now
	saved  *instance.Saved  // what is known of NetBox; nil: what is on the disk
	leases *[]lease.Lease   // to begin with; nil: those of the store
	now    func() time.Time // the time of day; nil: that of this machine
}

// rehearsed is a chain that answers and tells nobody: its leases are in memory.
type rehearsed struct {
	chain    receive.Chain
	instance *instance.Instance
}

func (w rehearsed) close() { _ = w.instance.Close() } // a rehearsal keeps nothing

// rehearsal sets up the chain of a settings file for a rehearsal. Several can be there
// at a time; the caller closes each.
func (a *app) rehearsal(cmd *cobra.Command, file *settings.File, of rehearsalOf) (w rehearsed, err error) {
	if !cmd.Flags().Changed("loglevel") {
		a.logLevel = "error"
	}
	log, err := a.logger()
	if err != nil {
		return w, err
	}
	pool := instance.Default
	pool.Rehearse, pool.Anew, pool.Saved, pool.Known, pool.Now = true, of.anew, of.saved, of.leases, of.now
	_, links, err := a.loadChain(pool, file.Path, only(harmless))
	if err == nil {
		w.instance, err = pool.Join("", log)
	}
	for _, i := range pool.Leave() {
		if err != nil {
			_ = i.Close()
		}
	}
	if err != nil {
		return w, err
	}
	w.chain, err = chainOf(&pool.Exchanges, w.instance, file, links)
	return w, err
}
