package launch

import (
	"context"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/instance"
)

// notify tells the service manager a state such as READY=1 (sd_notify). Without
// one it does nothing; a manager that cannot be told costs nothing but a line.
func notify(state string, log *logrus.Entry) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err == nil {
		_, err = conn.Write([]byte(state))
		_ = conn.Close() // what was sent was sent
	}
	if err != nil {
		log.WithError(err).Warn("the service manager cannot be told: " + state)
	}
}

// watchdog tells the service manager at half of the interval that it asks for
// that the receive loop turns, packets or not, whatever NetBox and the disk do
// (B-11). Without a manager that asks it does nothing.
func watchdog(ctx context.Context, turn func(context.Context) error, log *logrus.Entry) {
	interval := watchdogInterval(os.Getenv("WATCHDOG_USEC"), os.Getenv("WATCHDOG_PID"))
	if interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, interval/2)
		err := turn(within)
		cancel()
		switch {
		case err == nil:
			notify("WATCHDOG=1", log)
		case ctx.Err() == nil:
			log.WithError(err).Error("the receive loop does not turn; a service manager with a watchdog starts the server again")
		}
	}
}

// watchdogInterval is how often the manager wants to hear of the process; 0: never.
func watchdogInterval(usec, pid string) time.Duration {
	n, err := strconv.ParseUint(usec, 10, 48)
	if err != nil || pid != "" && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}

// hangups begins to take SIGHUP, which never ends the process (REC-4).
func hangups() (signals <-chan os.Signal, stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// reloads reads anew what can be, at each SIGHUP until ctx ends.
func (a *app) reloads(ctx context.Context, signals <-chan os.Signal, i *instance.Instance, log *logrus.Entry) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
			a.reload(i, log)
		}
	}
}

// reload opens the log file anew and reads an inventory and the token again. A
// file that is wrong changes nothing. Other settings need a restart (REC-4).
func (a *app) reload(i *instance.Instance, log *logrus.Entry) {
	if a.logTo != nil {
		if err := a.logTo.Reopen(); err != nil {
			log.WithError(err).Error("the log file cannot be opened anew, the old one is kept")
		}
	}
	var err error
	if i != nil {
		err = i.Reload()
	}
	if err != nil {
		log.WithError(err).Error("nothing was reloaded; what was read before stays in use")
		return
	}
	log.Info("reloaded inventory, token and log file; other settings need a restart")
}
