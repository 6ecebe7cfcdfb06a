// Release builds what people install: both programs for each architecture, as
// archives, as packages of Debian and of rpm, and as images, with a list of parts
// and checksums. It must not look at the clock, the machine's name or its files
// beside the checkout and Go's caches: two builds of one commit give the same
// bytes (PK-4).
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/version"
	"github.com/coredhcp-netbox/coredhcp-netbox/launch"
	"github.com/coredhcp-netbox/coredhcp-netbox/sync/cli"
)

// product is one of the two programs.
type product struct {
	name    string
	folder  string // below deploy: units, settings, sysusers.d, tmpfiles.d
	title   string
	command func() *cobra.Command
	units   []string // that are stopped by a removal
	restart []string // that run on, with the new program, after an upgrade
	raw     bool     // the program needs low ports and raw sockets
	ports   []string // of the image
	docs    []string // pages of docs that come with it, beside README.md and CHANGELOG.md
}

func products() []product {
	mirror := []string{"netbox-dhcp-sync.timer", "netbox-dhcp-sync.service", "netbox-dhcp-sync-daemon.service"}
	return []product{
		{
			name: "coredhcp-netbox", folder: "server", title: "DHCP straight from NetBox", command: launch.Command, raw: true, ports: []string{"67/udp", "69/udp"},
			units: []string{"coredhcp-netbox.service"}, restart: []string{"coredhcp-netbox.service"},
			docs: []string{"operations.md", "options-from-netbox.md", "packages.md", "spec/server.md", "spec/netbox.md"},
		},
		{
			name: "netbox-dhcp-sync", folder: "sync", title: "Mirror Windows DHCP servers into NetBox", command: cli.Command,
			// A run under way is left alone.
			units: mirror, restart: []string{"netbox-dhcp-sync.timer", "netbox-dhcp-sync-daemon.service"},
			docs: []string{"sync/README.md", "sync/settings.md", "sync/commands.md", "sync/reference.md", "sync/from-the-plugin.md", "sync/status-page.md", "packages.md", "spec/mirror.md"},
		},
	}
}

// build is one run of this program.
type build struct {
	out     string // folder of the results
	version string
	date    time.Time // of the commit; of all files in all results
	archs   []string
	program string // a folder with programs that were built before; empty: build them
}

func main() {
	var b build
	var archs string
	var seconds int64
	flag.StringVar(&b.out, "out", "dist", "`folder` of the results; it is emptied first")
	flag.StringVar(&b.version, "version", "0.0.0+unknown", "version of the programs and packages (release/version.sh)")
	flag.Int64Var(&seconds, "time", 0, "time of all files, in `seconds` since 1970 (release/version.sh --time)")
	flag.StringVar(&archs, "arch", "amd64,arm64", "architectures, by Go's names")
	flag.StringVar(&b.program, "programs", "", "`folder` NAME_linux_ARCH with programs to pack, instead of building them")
	only := flag.String("only", "", "make one thing only: pages, image or packages")
	flag.Parse()
	b.date, b.archs = time.Unix(seconds, 0).UTC(), strings.Split(archs, ",")
	if err := b.run(context.Background(), *only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// run makes everything, or one kind of thing.
func (b *build) run(ctx context.Context, only string) error {
	if err := checkVersion(b.version); err != nil {
		return err
	}
	if err := os.RemoveAll(b.out); err != nil {
		return err
	}
	if err := os.MkdirAll(b.out, 0o755); err != nil {
		return err
	}
	if only == "pages" {
		for _, p := range products() {
			if err := b.writePages(filepath.Join(b.out, p.name), p); err != nil {
				return err
			}
		}
		return nil
	}
	work, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }() // below the system's folder for such
	for _, p := range products() {
		if err := b.product(ctx, work, p, only); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return b.checksums()
}

// product makes all results of one program.
func (b *build) product(ctx context.Context, work string, p product, only string) error {
	var trees []tree
	for _, arch := range b.archs {
		t := tree{product: p, arch: arch, root: filepath.Join(work, p.name+"_"+arch)}
		if err := b.stage(ctx, t); err != nil {
			return err
		}
		trees = append(trees, t)
		if only == "" {
			if err := b.archive(t); err != nil {
				return err
			}
		}
		if only != "image" {
			if err := b.packages(ctx, t); err != nil {
				return err
			}
		}
	}
	if only == "packages" {
		return nil
	}
	return b.image(trees)
}

// file is the path of a result.
func (b *build) file(p product, arch, suffix string) string {
	return filepath.Join(b.out, fmt.Sprintf("%s_%s_linux_%s%s", p.name, b.version, arch, suffix))
}

// linkerFlags put the version in and leave out what differs from build to build.
func (b *build) linkerFlags() string {
	return "-s -w -buildid= -X " + version.Module + "/internal/version.stamped=" + b.version
}
