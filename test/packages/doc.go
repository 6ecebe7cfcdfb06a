// Package packages installs what `make release` makes: packages on a clean Debian
// with systemd in a virtual computer, images in a network namespace. It must not
// reach into programs or packages: what it knows is what dpkg, rpm, systemd and
// DHCP clients say. It needs root and INTEGRATION=1, and no NetBox.
package packages
