package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

// A note is stored under its name:
//
//	key    'n', the name
//	value  format byte (1), the bytes, CRC-32C of key and all before it, big endian
const (
	notePrefix = 'n'
	noteFormat = 1
)

// encodeNote encodes the text of a note; nil removes it.
func encodeNote(key, text []byte) []byte {
	if text == nil {
		return nil
	}
	value := append([]byte{noteFormat}, text...)
	return binary.BigEndian.AppendUint32(value, checksum(key, value))
}

// decodeNote reads one stored note; the errors wrap errCorrupt.
func decodeNote(key, value []byte) (name string, text []byte, err error) {
	name = string(key[1:])
	body := len(value) - checksumBytes
	switch {
	case name == "" || body < 1:
		return "", nil, fmt.Errorf("note %q has %d bytes: %w", name, len(value), errCorrupt)
	case binary.BigEndian.Uint32(value[body:]) != checksum(key, value[:body]):
		return "", nil, fmt.Errorf("note %q: checksum: %w", name, errCorrupt)
	case value[0] != noteFormat:
		return "", nil, fmt.Errorf("note %q: format %d: %w", name, value[0], errCorrupt)
	}
	return name, append([]byte{}, value[1:body]...), nil
}

// SetNote implements lease.Store.
func (s *Store) SetNote(ctx context.Context, name string, value []byte) error {
	err := lease.CheckNote(name, value)
	if err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		return fmt.Errorf("store note %q: %w", name, err)
	}
	defer s.calls.Done()
	key := append([]byte{notePrefix}, name...)
	errs, err := s.ask(&request{ctx: ctx, changes: []change{{key: key, value: encodeNote(key, value)}}, reply: make(chan []error, 1)})
	if err == nil {
		err = errs[0]
	}
	if err != nil {
		return fmt.Errorf("store note %q: %w", name, err)
	}
	return nil
}

// Notes implements lease.Store.
func (s *Store) Notes(ctx context.Context) (map[string][]byte, error) {
	if err := s.begin(ctx); err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	defer s.calls.Done()
	notes, err := allNotes(s.db)
	if err == nil {
		err = s.durable(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	return notes, nil
}

func allNotes(db pebble.Reader) (map[string][]byte, error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: []byte{notePrefix}, UpperBound: []byte{notePrefix + 1}})
	if err != nil {
		return nil, err
	}
	notes := make(map[string][]byte)
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		var name string
		var text []byte
		if name, text, err = decodeNote(it.Key(), it.Value()); err == nil {
			notes[name] = text
		}
	}
	return notes, errors.Join(err, it.Error(), it.Close())
}
