package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// stub starts the stand-in; with a file it syncs before it acknowledges.
func (b *bench) stub(file string) func(context.Context) (*process, error) {
	return func(ctx context.Context) (*process, error) {
		self, err := os.Executable()
		if err != nil {
			return nil, err
		}
		command := []string{self, "stub"}
		if file != "" {
			command = append(command, file)
		}
		return startProcess(ctx, b.folder, "stub", fmt.Sprintf("127.0.0.1:%d", stubPort), command...)
	}
}

// server starts coredhcp-netbox on an inventory: "static" has a device for
// every client, "dynamic" a pool of 60 000 addresses.
func (b *bench) server(kind string) func(context.Context) (*process, error) {
	return func(ctx context.Context) (*process, error) {
		folder := filepath.Join(b.folder, kind)
		if err := os.Mkdir(folder, 0o750); err != nil {
			return nil, err
		}
		conf := filepath.Join(folder, "config.yml")
		err := errors.Join(
			os.WriteFile(conf, []byte(settingsFile), 0o600),
			writeInventory(filepath.Join(folder, "inventory.yml"), kind, b.hosts),
		)
		if err != nil {
			return nil, err
		}
		return startProcess(ctx, b.folder, kind, "127.0.0.1:6769", b.binary, "serve", "--conf", conf, "--loglevel", "warning")
	}
}

const settingsFile = `server4:
  listen: "127.0.0.1:6769"
  plugins:
    - netbox:
    - netbox_gateway:
    - netbox_dns: 10.77.0.53
    - nak: authoritative
netbox:
  inventory: inventory.yml
  network: {relays: [127.0.0.0/8]}
  store:
    path: state
`

func writeInventory(path, kind string, hosts int) (err error) {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	fmt.Fprintln(w, "prefixes:\n  - prefix: 10.0.0.0/8\nip_addresses:\n  - {address: 10.255.255.1/8, tags: [Gateway]}")
	if kind == "dynamic" {
		fmt.Fprintln(w, "  - {address: 10.77.1.0-10.77.235.95/8, tags: [DHCP]}")
		return w.Flush()
	}
	fmt.Fprintln(w, "devices:")
	for i := range hosts {
		fmt.Fprintf(w, "  - name: host%d\n    interfaces:\n      - {name: eth0, mac_address: \"52:54:%02x:%02x:%02x:%02x\", ip_addresses: [{address: 10.%d.%d.%d/8}]}\n",
			i, byte(i>>24), byte(i>>16), byte(i>>8), byte(i), 1+i>>16, byte(i>>8), byte(i))
	}
	return w.Flush()
}
