package main

import (
	"encoding/binary"
	"errors"
	"net"
	"os"
	"time"

	"github.com/insomniacslk/dhcp/dhcpv4"
	"golang.org/x/sys/unix"
)

// stub is the least a DHCP server in Go with this packet library can do: it
// decodes, answers every client with an address made from its MAC, encodes. With
// a file it appends a record for every ACK and syncs many at once before they
// leave.
func stub(args []string) error {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: stubPort})
	if err != nil {
		return err
	}
	if err := conn.SetReadBuffer(4 << 20); err != nil {
		return err
	}
	replies := make(chan outgoing, 4096)
	if len(args) == 1 {
		file, err := os.Create(args[0])
		if err != nil {
			return err
		}
		go syncGroups(conn, file, replies)
	}
	buf := make([]byte, 1500)
	for {
		n, peer, err := conn.ReadFromUDP(buf)
		if err != nil {
			return err
		}
		reply, ack := stubReply(buf[:n])
		if reply == nil {
			continue
		}
		if ack && len(args) == 1 {
			replies <- outgoing{reply, peer}
			continue
		}
		_, _ = conn.WriteToUDP(reply, peer) // a lost message counts as lost
	}
}

const stubPort = 6768

type outgoing struct {
	message []byte
	to      *net.UDPAddr
}

func stubReply(b []byte) (reply []byte, ack bool) {
	req, err := dhcpv4.FromBytes(b)
	if err != nil {
		return nil, false
	}
	resp, err := dhcpv4.NewReplyFromRequest(req)
	if err != nil {
		return nil, false
	}
	kind := dhcpv4.MessageTypeOffer
	if ack = req.MessageType() == dhcpv4.MessageTypeRequest; ack {
		kind = dhcpv4.MessageTypeAck
	}
	host := binary.BigEndian.Uint32(req.ClientHWAddr[2:6])
	resp.YourIPAddr = net.IPv4(10, byte(host>>16), byte(host>>8), byte(host)).To4()
	resp.UpdateOption(dhcpv4.OptMessageType(kind))
	resp.UpdateOption(dhcpv4.OptServerIdentifier(net.IPv4(127, 0, 0, 1)))
	resp.UpdateOption(dhcpv4.OptIPAddressLeaseTime(time.Hour))
	resp.UpdateOption(dhcpv4.OptRenewTimeValue(30 * time.Minute))
	resp.UpdateOption(dhcpv4.OptRebindingTimeValue(52 * time.Minute))
	resp.UpdateOption(dhcpv4.OptSubnetMask(net.CIDRMask(16, 32)))
	resp.UpdateOption(dhcpv4.OptRouter(net.IPv4(10, 77, 0, 1)))
	resp.UpdateOption(dhcpv4.OptDNS(net.IPv4(10, 77, 0, 53)))
	return resp.ToBytes(), ack
}

// syncGroups writes what has gathered, syncs once, and sends all of it.
func syncGroups(conn *net.UDPConn, file *os.File, replies <-chan outgoing) {
	for first := range replies {
		group := []outgoing{first}
		for more := true; more && len(group) < 1024; {
			select {
			case next := <-replies:
				group = append(group, next)
			default:
				more = false
			}
		}
		records := make([]byte, 80*len(group))
		_, err := file.Write(records)
		if err := errors.Join(err, unix.Fdatasync(int(file.Fd()))); err != nil {
			continue // nothing leaves that is not durable
		}
		for _, o := range group {
			_, _ = conn.WriteToUDP(o.message, o.to) // a lost message counts as lost
		}
	}
}
