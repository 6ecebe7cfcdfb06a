package instance

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease/pebblestore"
)

const (
	// storePatience is how long a start waits for the lease store; after it the
	// server begins without one (H-5).
	storePatience = 3 * time.Second
	// firstStorePause and lastStorePause are how long the server waits before it
	// opens the store again; the pause doubles from one to the other.
	firstStorePause = time.Second
	lastStorePause  = time.Minute
)

// openStore starts to keep the engine with a lease store, and waits a little
// for the first attempt. Only a store that another server has open is an error:
// two servers on one folder are a mistake of the operator. Everything else
// leaves the server without a store until it can be opened (H-5).
func (i *Instance) openStore(ctx context.Context) error {
	dir := leaseFolder(i.Settings)
	if i.pool.Rehearse {
		store, err := i.rehearsalStore(ctx)
		if err != nil {
			return err
		}
		i.store = store
		return i.Engine.Attach(ctx, store)
	}
	first := make(chan error, 1)
	i.running.Go(func() { i.keepStore(ctx, dir, first) })
	i.disks.Go(func() { i.watchSpace(ctx) })
	select {
	case err := <-first:
		if errors.Is(err, syscall.EAGAIN) {
			return err
		}
		if err != nil {
			i.withoutStore(err) // a start does not end before it has said so
		}
	case <-time.After(storePatience):
		i.withoutStore(fmt.Errorf("it takes longer than %s", storePatience))
	}
	return nil
}

// keepStore opens the store, and again whenever it failed, until ctx ends. The
// outcome of the first attempt goes to first.
func (i *Instance) keepStore(ctx context.Context, dir string, first chan<- error) {
	pause := firstStorePause
	for {
		store, err := i.attachStore(ctx, dir)
		if len(first) == 0 {
			first <- err // holds one; later ones are for the log only
		}
		if err == nil {
			pause = firstStorePause
			select {
			case <-store.Failed():
				err = store.Err()
				i.leaveStore(ctx, store)
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return
		}
		i.withoutStore(err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		pause = min(2*pause, lastStorePause)
	}
}

// attachStore opens the store and gives it to the engine. A disk that is full
// or hangs may hold it for ever, so it runs where it can be left behind: it is
// given up with ctx, and closes what it opens after that.
func (i *Instance) attachStore(ctx context.Context, dir string) (*pebblestore.Store, error) {
	type outcome struct {
		store *pebblestore.Store
		err   error
	}
	ended := make(chan outcome)
	i.disks.Go(func() {
		i.freeReserve()
		store, err := pebblestore.Open(dir, i.Log)
		if err == nil {
			if err = i.Engine.Attach(ctx, store); err != nil {
				err = errors.Join(err, store.Close())
			}
		}
		select {
		case ended <- outcome{store, err}:
		case <-ctx.Done():
			if err == nil {
				_ = store.Close() // the server ends; nothing was promised on this store
			}
		}
	})
	select {
	case got := <-ended:
		if got.err != nil {
			return nil, got.err
		}
		i.storeOpen.Store(got.store)
		return got.store, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// leaveStore takes a failed store from the engine and waits, as long as the
// server runs, until its folder is free.
func (i *Instance) leaveStore(ctx context.Context, store *pebblestore.Store) {
	i.Engine.Detach()
	i.storeOpen.Store(nil)
	free := make(chan struct{})
	i.disks.Go(func() {
		if err := store.Abandon(); err != nil {
			i.Log.WithError(err).Warn("the folder of the failed lease store may still be locked")
		}
		close(free)
	})
	select {
	case <-free:
	case <-ctx.Done():
	}
}

// withoutStore says, at most once a minute, what is served without a store.
func (i *Instance) withoutStore(err error) {
	i.Quiet.Error("store", "no lease store: static hosts are served, dynamic clients get no lease; it is tried again, see the error for what to do",
		logrus.Fields{logrus.ErrorKey: err})
}
