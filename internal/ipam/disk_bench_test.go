package ipam

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// largeObjects are as many tables as the figures of the project speak of:
// addresses in /16 prefixes, half of them assigned to a device of their own.
func largeObjects(addresses int) *Objects {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	context := json.RawMessage(`{"dns_servers":["10.255.0.1","10.255.0.2"],"domain_name":"example.org","tftp_server":"10.255.0.3","pxe_boot_file":"pxelinux.0","uefi_boot_file":"grubx64.efi"}`)
	o := &Objects{
		Tags:       map[int64]*Tag{1: {ID: 1, Name: "DHCP", Slug: "dhcp"}},
		Prefixes:   make(map[int64]*Prefix),
		Addresses:  make(map[int64]*Address, addresses),
		MACs:       make(map[int64]*MACAddress),
		Interfaces: make(map[InterfaceID]*Interface),
		Machines:   make(map[MachineID]*Machine),
	}
	for i := range addresses {
		id := int64(i + 1)
		host := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		a := &Address{ID: id, Address: netip.PrefixFrom(host, 16), Status: "active", LastUpdated: at}
		o.Addresses[id] = a
		if i&0xffff == 0 {
			o.Prefixes[id] = &Prefix{ID: id, Prefix: netip.PrefixFrom(host, 16), Status: "active", LastUpdated: at}
		}
		mac := MAC{0x52, 0x54, byte(i >> 24), byte(i >> 16), byte(i >> 8), byte(i)}
		if i%2 == 0 {
			a.Tags = []int64{1}
			a.Record = Record{Client: mac.String(), Expires: at.Add(time.Duration(i) * time.Second)}
			continue
		}
		port, machine := InterfaceID{Device, id}, MachineID{Device, id}
		a.Interface = port
		o.MACs[id] = &MACAddress{ID: id, MAC: mac, Interface: port, LastUpdated: at}
		o.Interfaces[port] = &Interface{ID: port, Name: "eth0", Machine: machine, LastUpdated: at}
		o.Machines[machine] = &Machine{ID: machine, Name: fmt.Sprintf("host-%d", i), PrimaryIP4: id, Context: slices.Clone(context), LastUpdated: at}
	}
	return o
}

func BenchmarkDisk(b *testing.B) {
	d := sampleDisk()
	d.Objects = largeObjects(100_000)
	encoded := encodeDisk(b, d)
	b.Run("encode 100000 addresses", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := EncodeDisk(io.Discard, d); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(len(encoded)), "file-bytes")
	})
	b.Run("decode 100000 addresses", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeDisk(bytes.NewReader(encoded)); err != nil {
				b.Fatal(err)
			}
		}
	})
}
