// Package bootfiles serves the files of one folder to machines that boot: by
// TFTP (RFC 1350, 2347, 2348, 2349, 7440) and by HTTP. It only reads, opens
// nothing outside of the folder, lists nothing, and bounds what any sender can
// make it do. It knows nothing of DHCP or NetBox. Once Listen has returned, no
// trouble of its own ends the process.
package bootfiles

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// pace is how long the service waits for things.
type pace struct {
	second time.Duration // what TFTP counts in
	drain  time.Duration // for transfers under way after the end
	fair   time.Duration // for a slow HTTP client before it gives way; 0: fairTime
}

// Config says what is served, where and to how many.
type Config struct {
	Folder string // required
	// TFTPListen and HTTPListen are address and port, such as ":69"; empty: not
	// served. TFTP is served over IPv4.
	TFTPListen string
	HTTPListen string
	// MaxTransfers is how many transfers of each protocol run at once, and
	// MaxPerClient how many of them with one client address. For HTTP a
	// connection counts as a transfer.
	MaxTransfers int
	MaxPerClient int
	Log          logrus.FieldLogger // required
	// Registerer takes the metrics; nil: they are not published.
	Registerer prometheus.Registerer
}

// Service has its ports open and serves once Serve is called.
type Service struct {
	folder Folder
	meter  *meter
	pace   pace
	tftp   *tftpServer // nil: not served
	http   *httpServer // nil: not served
}

// Listen checks the folder and binds the ports; after it the process may give
// up privileges. The caller closes the service.
func Listen(c Config) (*Service, error) {
	folder := Folder(c.Folder)
	if err := folder.Check(); err != nil {
		return nil, err
	}
	m, err := newMeter(c.Registerer, c.Log)
	if err != nil {
		return nil, err
	}
	s := &Service{folder: folder, meter: m, pace: pace{second: time.Second, drain: 5 * time.Second}}
	if c.TFTPListen != "" {
		if s.tftp, err = listenTFTP(c.TFTPListen, folder, newSlots(c.MaxTransfers, c.MaxPerClient), m); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	if c.HTTPListen != "" {
		if s.http, err = listenHTTP(c.HTTPListen, folder, newSlots(c.MaxTransfers, c.MaxPerClient), m); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// TFTPAddr is where TFTP is served; the zero AddrPort: nowhere.
func (s *Service) TFTPAddr() netip.AddrPort {
	if s.tftp == nil {
		return netip.AddrPort{}
	}
	return s.tftp.conn.LocalAddr().(*net.UDPAddr).AddrPort()
}

// HTTPAddr is where HTTP is served; the zero AddrPort: nowhere.
func (s *Service) HTTPAddr() netip.AddrPort {
	if s.http == nil {
		return netip.AddrPort{}
	}
	return s.http.listener.Addr().(*net.TCPAddr).AddrPort()
}

// Serve works until ctx ends; then nothing new begins, and what is under way is
// cut off after 5 seconds. It returns when all of it has ended.
func (s *Service) Serve(ctx context.Context) {
	var running sync.WaitGroup
	defer running.Wait()
	if s.tftp != nil {
		running.Go(func() { s.tftp.serve(ctx, s.pace) })
	}
	if s.http != nil {
		running.Go(func() { s.http.serve(ctx, s.pace) })
	}
}

// Close releases the ports. It is for after Serve, or instead of it.
func (s *Service) Close() error {
	var errs []error
	if s.tftp != nil {
		errs = append(errs, s.tftp.close())
	}
	if s.http != nil {
		errs = append(errs, ignoreClosed(s.http.listener.Close()))
	}
	s.meter.close()
	return errors.Join(errs...)
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// listenError says what an operator can do about a port that cannot be had.
func listenError(protocol, address string, err error) error {
	hint := ""
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		hint = " (another program serves there; `ss -lnptu` names it)"
	case errors.Is(err, unix.EACCES):
		hint = " (ports below 1024 need root or CAP_NET_BIND_SERVICE)"
	case errors.Is(err, unix.EADDRNOTAVAIL):
		hint = " (no interface of this machine has the address)"
	}
	return fmt.Errorf("serve boot files by %s on %s: %w%s", protocol, address, err, hint)
}
