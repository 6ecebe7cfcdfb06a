package main

import (
	"encoding/binary"
	"errors"
	"net"
	"os"

	"golang.org/x/net/ipv4"
	"golang.org/x/sys/unix"

	"github.com/coredhcp-netbox/coredhcp-netbox/test/bench/load"
)

// stub is the most that a server in Go could reach here: it looks at the
// header of a request, writes a reply over it, with an address made from the
// MAC, and moves many messages with one system call. With a file it appends a
// record for every ACK and syncs them all at once before they leave.
func stub(file string) error {
	conn, err := net.ListenUDP("udp4", net.UDPAddrFromAddrPort(listenAt()))
	if err != nil {
		return err
	}
	if err := load.RoomForBursts(conn); err != nil {
		return err
	}
	s := stubServer{batch: ipv4.NewPacketConn(conn), in: make([]ipv4.Message, 256)}
	if file != "" {
		if s.file, err = os.Create(file); err != nil {
			return err
		}
	}
	for i := range s.in {
		s.in[i].Buffers = [][]byte{make([]byte, 1500)}
	}
	for {
		if err := s.turn(); err != nil {
			return err
		}
	}
}

type stubServer struct {
	batch   *ipv4.PacketConn
	file    *os.File
	in      []ipv4.Message
	out     []ipv4.Message
	records []byte
}

// turn answers one batch.
func (s *stubServer) turn() error {
	for i := range s.in {
		s.in[i].Buffers[0] = s.in[i].Buffers[0][:1500]
	}
	n, err := s.batch.ReadBatch(s.in, 0)
	if err != nil {
		return err
	}
	s.out, s.records = s.out[:0], s.records[:0]
	for _, m := range s.in[:n] {
		b := m.Buffers[0]
		size, ack := stubReply(b, m.N)
		if size == 0 {
			continue
		}
		m.Buffers[0] = b[:size]
		s.out = append(s.out, m)
		if ack {
			s.records = append(s.records, b[:80]...)
		}
	}
	if err := s.sync(); err != nil {
		return err
	}
	for out := s.out; len(out) > 0; {
		sent, err := s.batch.WriteBatch(out, 0)
		if err != nil {
			return err
		}
		out = out[sent:]
	}
	return nil
}

func (s *stubServer) sync() error {
	if s.file == nil || len(s.records) == 0 {
		return nil
	}
	_, err := s.file.Write(s.records)
	return errors.Join(err, unix.Fdatasync(int(s.file.Fd())))
}

// stubReply turns the request of n bytes in b into its reply and returns its
// length; 0 if there is nothing to send.
func stubReply(b []byte, n int) (size int, ack bool) {
	const options = 240
	if n <= options+3 || b[0] != 1 || b[options] != 53 {
		return 0, false
	}
	kind := byte(2)
	if b[options+2] == 3 {
		kind, ack = 5, true
	}
	b[0] = 2
	address, server := clientAddress(binary.BigEndian.Uint32(b[30:])).As4(), listenAt().Addr().As4()
	copy(b[16:], address[:])
	p := options
	p += copy(b[p:], []byte{53, 1, kind, 54, 4, server[0], server[1], server[2], server[3]})
	p += copy(b[p:], []byte{51, 4, 0, 0, 14, 16, 1, 4, 255, 0, 0, 0, 3, 4, 10, 0, 0, 2, 6, 4, 10, 0, 0, 53, 255})
	const shortest = 300
	clear(b[p:max(p, shortest)])
	return max(p, shortest), ack
}
