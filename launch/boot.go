package launch

import (
	"context"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/bootfiles"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/settings"
)

// bootConfig is what netbox.boot_service says.
func bootConfig(s settings.BootService, registry prometheus.Registerer, log logrus.FieldLogger) bootfiles.Config {
	return bootfiles.Config{
		Folder:       s.Folder,
		TFTPListen:   s.TFTPListen,
		HTTPListen:   s.HTTPListen,
		MaxTransfers: s.MaxTransfers,
		MaxPerClient: s.MaxPerClient,
		Log:          log,
		Registerer:   registry,
	}
}

// serveBootFiles serves the folder of netbox.boot_service, if there is one,
// until stop is called; stop returns when transfers have ended or were cut off.
func serveBootFiles(s settings.BootService, registry prometheus.Registerer, log logrus.FieldLogger) (stop func(), err error) {
	if s.Folder == "" {
		return func() {}, nil
	}
	service, err := bootfiles.Listen(bootConfig(s, registry, log))
	if err != nil {
		return nil, err
	}
	if addr := service.TFTPAddr(); addr.IsValid() {
		log.WithFields(logrus.Fields{"address": addr, "folder": s.Folder}).Info("serving boot files by TFTP")
	}
	if addr := service.HTTPAddr(); addr.IsValid() {
		log.WithFields(logrus.Fields{"address": addr, "folder": s.Folder}).Info("serving boot files by HTTP")
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { service.Serve(ctx) })
	return func() {
		cancel()
		running.Wait()
		_ = service.Close() // at the end of the process nothing is left to lose
	}, nil
}
