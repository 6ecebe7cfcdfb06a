package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// Format is the format of stores that this version writes.
const Format = formatVersion

// Moment calls lease for each lease in address order, and then note for each note by
// name, all as they were at one moment and durable by then. It stops at the first
// error. Others read and write meanwhile, however long the calls take: no lock is held.
func (s *Store) Moment(ctx context.Context, lease func(lease.Lease) error, note func(name string, value []byte) error) error {
	if err := s.begin(ctx); err != nil {
		return fmt.Errorf("read lease store: %w", err)
	}
	defer s.calls.Done()
	moment := s.db.NewSnapshot()
	err := s.durable(ctx)
	if err == nil {
		err = readMoment(ctx, moment, lease, note)
	}
	if err := errors.Join(err, moment.Close()); err != nil {
		return fmt.Errorf("read lease store: %w", err)
	}
	return nil
}

func readMoment(ctx context.Context, moment pebble.Reader, one func(lease.Lease) error, note func(string, []byte) error) error {
	it, err := newIter(moment)
	if err != nil {
		return err
	}
	err = each(it, func(l lease.Lease, _ lease.Revision) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return one(l)
	})
	if err := errors.Join(err, it.Close()); err != nil {
		return err
	}
	notes, err := allNotes(moment)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(notes)) {
		if err := note(name, notes[name]); err != nil {
			return err
		}
	}
	return nil
}
