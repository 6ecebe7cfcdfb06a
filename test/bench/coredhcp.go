package main

import (
	"github.com/coredhcp/coredhcp/config"
	"github.com/coredhcp/coredhcp/logger"
	"github.com/coredhcp/coredhcp/plugins"
	"github.com/coredhcp/coredhcp/plugins/dns"
	"github.com/coredhcp/coredhcp/plugins/file"
	"github.com/coredhcp/coredhcp/plugins/leasetime"
	"github.com/coredhcp/coredhcp/plugins/netmask"
	"github.com/coredhcp/coredhcp/plugins/router"
	"github.com/coredhcp/coredhcp/plugins/serverid"
	"github.com/coredhcp/coredhcp/server"
	"github.com/sirupsen/logrus"
)

// coreDHCP is CoreDHCP's own server with its own plugins, of the version that
// this project is built on.
func coreDHCP(path string) error {
	logger.GetLogger("main").Logger.SetLevel(logrus.WarnLevel)
	settings, err := config.Load(path)
	if err != nil {
		return err
	}
	for _, p := range []*plugins.Plugin{&leasetime.Plugin, &serverid.Plugin, &dns.Plugin, &router.Plugin, &netmask.Plugin, &file.Plugin} {
		if err := plugins.RegisterPlugin(p); err != nil {
			return err
		}
	}
	servers, err := server.Start(settings)
	if err != nil {
		return err
	}
	return servers.Wait()
}
