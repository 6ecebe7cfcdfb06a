package receive

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/dhcp4"
	"github.com/coredhcp-netbox/coredhcp-netbox/internal/lease"
)

const (
	// defaultWorkers is how many packets are in work at most, besides those that
	// wait for something slow (B-1).
	defaultWorkers = 256
	// waitingRoom is how many packets of a burst wait for a worker. A packet
	// waits at most as long as another is in work. Handlers of ours take 3 s at
	// most; a client asks again after 4 s (RFC 2131 section 4.1).
	waitingRoom = 256
	// drainTime is how long a packet in work may take after the end (REC-3).
	drainTime = 5 * time.Second
	// maxDatagram is far above what a client may send without being asked to
	// (576 bytes) and what fits into an Ethernet frame; more is not DHCP.
	maxDatagram = 4096
	// readPause keeps a socket that only fails from eating a processor.
	readPause = 100 * time.Millisecond
	// noHandler and proxyHandler stand where handlers of the chain are counted.
	noHandler    = -1
	proxyHandler = -2
)

// Options is what a Server needs besides addresses and a chain.
type Options struct {
	// Workers is how many packets are in work at most, 256 if 0. 256 more wait
	// their turn; what comes on top is dropped and counted (B-1).
	Workers int
	// Waiting is how many of those in work handlers let wait for something slow; as
	// many more workers start when they are needed, so that the others never wait
	// for them (B-9).
	Waiting int
	// Readers is how many goroutines read from one socket at most; 0: one for each
	// processor, up to 4.
	Readers int
	Log     logrus.FieldLogger // required
	// Registerer takes the metrics of the loop; nil: they are not published.
	Registerer prometheus.Registerer
}

// Server receives DHCPv4 messages, runs the chain on each and sends what comes
// out of it. Several servers in one process are independent of each other.
type Server struct {
	chain      Chain
	opt        Options
	listeners  []*listener
	readers    []*reader
	interfaces *interfaces
	frames     *frameSender // nil without CAP_NET_RAW
	meter      *meter
	parked     parkingLot
	packets    sync.Pool // of *packet
	working    working
	senders    senders
	jobs       chan *packet   // packets that wait for a worker
	begun      atomic.Uint64  // packets given to the workers
	finished   atomic.Uint64  // packets that a worker is done with
	open       sync.WaitGroup // packets that a reader has given away
	workers    sync.WaitGroup
	helpers    atomic.Int64 // workers besides opt.Workers
}

// packet is one datagram on its way through the server.
type packet struct {
	via    *listener
	at     time.Time
	source netip.AddrPort
	part   int           // which share of senders that are no relay it counts against (N-13); 0: none
	client client        // whose message this one is while it is in work (D-28)
	turn   atomic.Uint32 // when it is to be handled; who ends the message before it changes that
	arrival
	cut    bool          // it was longer than what is kept
	lost   uint32        // the kernel's count of packets it had no room for; 0: it said nothing
	req    *dhcp4.Packet // the message, once it is decoded
	memory *memory       // where it lies; nil: handlers may have kept it
	asked  []byte        // the control message that goes with it
	// promise is what its last run rested on, and was not kept (B-16).
	promise *lease.Promise
	away    bool // its reader has given it away
	n       int
	buf     [maxDatagram]byte
}

func (p *packet) bytes() []byte { return p.buf[:p.n] }

// Listen binds the addresses and opens everything that needs privileges; after
// it the process may give them up. An address without IP is the wildcard, its
// Zone is an interface to be bound to, port 0 lets the kernel choose (Addrs
// tells what).
//
// The caller closes the server.
func Listen(addrs []net.UDPAddr, chain Chain, opt Options) (*Server, error) {
	if opt.Workers == 0 {
		opt.Workers = defaultWorkers
	}
	m, err := newMeter(opt.Registerer, opt.Log)
	if err != nil {
		return nil, err
	}
	s := &Server{chain: chain, opt: opt, meter: m, jobs: make(chan *packet, waitingRoom), parked: parkingLot{came: make(chan struct{}, 1)}}
	s.senders.seed = maphash.MakeSeed()
	s.packets.New = func() any { return new(packet) }
	if s.listeners, err = openListeners(addrs); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	second, err := openProxy(chain.Proxy, addrs)
	s.listeners = append(s.listeners, second...)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.readers = s.newReaders()
	warnOfSmallBuffers(s.listeners, opt.Log)
	if s.interfaces, err = openInterfaces(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.frames, err = openFrameSender(); err != nil {
		opt.Log.WithError(err).Warn("replies to clients without an address will be broadcast")
	}
	return s, nil
}

// Addrs is where the server listens, in the order given to Listen.
func (s *Server) Addrs() []netip.AddrPort {
	var addrs []netip.AddrPort
	for _, l := range s.listeners {
		addrs = append(addrs, l.conn.LocalAddr().(*net.UDPAddr).AddrPort())
	}
	return addrs
}

// Serve works until ctx ends; then it stops reading, finishes the packets it
// has read, and returns nil, or an error if that takes more than 5 seconds. The
// sockets stay open for the last replies, until Close.
func (s *Server) Serve(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var watcher, readers sync.WaitGroup
	s.tellOwn(s.interfaces.table.Load())
	watcher.Go(func() { s.interfaces.watch(ctx, s.opt.Log, s.followDevices) })
	defer watcher.Wait()
	defer cancel()
	for range s.opt.Workers {
		s.workers.Go(func() {
			for p := range s.jobs {
				s.work(p)
			}
		})
	}
	defer context.AfterFunc(ctx, func() {
		for _, l := range s.listeners {
			_ = l.conn.SetReadDeadline(time.Unix(1, 0)) // fails only if closed, which ends reading too
		}
	})()
	stop := make(chan struct{})
	s.workers.Go(func() { s.keep(stop) })
	for _, r := range s.readers {
		readers.Go(func() { r.read(ctx) })
	}
	readers.Wait()
	if err := awaitEnd(&s.open, drainTime); err != nil {
		return err
	}
	close(s.jobs)
	close(stop)
	s.workers.Wait()
	return nil
}

// Close releases the sockets. It is for after Serve, or instead of it.
func (s *Server) Close() error {
	errs := []error{closeListeners(s.listeners)}
	if s.interfaces != nil {
		s.interfaces.close()
	}
	if s.frames != nil {
		errs = append(errs, s.frames.close())
	}
	s.meter.close()
	return errors.Join(errs...)
}

// tellOwn says which addresses this machine has.
func (s *Server) tellOwn(t *interfaceTable) {
	if s.chain.Own != nil {
		s.chain.Own(t.local)
	}
}

// followDevices binds sockets again whose interface was replaced.
func (s *Server) followDevices(t *interfaceTable) {
	s.tellOwn(t)
	for _, l := range s.listeners {
		ifc := t.byName[l.device]
		if ifc == nil || ifc.index == l.index {
			continue
		}
		log := s.opt.Log.WithField("interface", l.device)
		if err := l.rebind(ifc.index); err != nil {
			log.WithError(err).Error("a new interface of the same name is not served")
			continue
		}
		log.Info("listening on the new interface of the same name")
	}
}

func (s *Server) packet() *packet { return s.packets.Get().(*packet) }

// take answers a packet at once, or gives it away; it reports whether p may be used
// again.
func (s *Server) take(p *packet, out *outbox) bool {
	if why := s.admit(p); why != "" {
		s.working.end(p)
		s.meter.drop(why, p.source)
		return true
	}
	if !s.attend(p, out) {
		return false
	}
	s.senders.end(p)
	p.end(&s.chain)
	return true
}

// attend runs the chain if nothing in it waits, and gives a worker what has to wait.
// It reports whether p is done with.
func (s *Server) attend(p *packet, out *outbox) bool {
	if s.chain.Prompt != nil {
		switch s.handle(p, out) {
		case answered:
			return true
		case parks:
			return false
		case waits:
		}
	}
	s.giveAway(p)
	select {
	case s.jobs <- p:
		s.begun.Add(1)
		s.relieve()
		return false
	default:
	}
	s.meter.drop(dropSurplus, p.source)
	p.dropPromise()
	s.working.end(p)
	s.takeBack(p)
	return true
}

// giveAway notes that p is in other hands than its reader's, for the end to wait for.
func (s *Server) giveAway(p *packet) {
	if !p.away {
		p.away = true
		s.open.Add(1)
		s.working.handOn(p)
	}
}

func (s *Server) takeBack(p *packet) {
	if p.away {
		p.away = false
		s.open.Done()
	}
}

// finish gives back what a packet held that its reader gave away.
func (s *Server) finish(p *packet) {
	s.senders.end(p)
	p.end(&s.chain)
	s.takeBack(p)
	s.packets.Put(p)
}

// admit says why a packet whose turn has come is not to be handled.
func (s *Server) admit(p *packet) Drop {
	if p.cut {
		return dropMalformed
	}
	if ifc := s.interfaces.table.Load().byIndex[p.ifindex]; ifc != nil && p.via.yields[ifc.name] {
		return dropCopy
	}
	if p.turn.Load() == turnNever {
		return dropBusy
	}
	if !s.senders.begin(p, len(s.jobs) >= waitingRoom/2, (s.opt.Workers+waitingRoom)/2) {
		return dropSender
	}
	return ""
}

// fate is what has become of a packet.
type fate uint8

const (
	answered fate = iota // or dropped: it is done with
	waits                // nothing has come of it, and a worker has to see it
	parks                // its reply waits for the disk
)

// handle does all for one packet: a worker's without out, and with it that of a
// reader or the keeper, who must not wait. A panic of a handler costs that packet
// only (B-3, L-7).
func (s *Server) handle(p *packet, out *outbox) (f fate) {
	o := Outcome{running: noHandler, prompt: out != nil, promise: p.promise}
	p.promise = nil
	if p.req == nil {
		p.begin(&s.chain)
	}
	o.memory = p.memory
	s.meter.inWork.Inc()
	defer func() {
		s.meter.inWork.Dec()
		if cause := recover(); cause != nil {
			f = answered
			s.chain.Tally.of(o.running, false).broke()
			s.meter.panicked(cause, o.running, p.bytes())
		}
		if f != parks {
			o.dropPromise()
		}
		if f == answered {
			s.working.end(p)
		}
	}()
	if p.req == nil {
		req, why := decode(p.memory, p.bytes())
		if why != "" {
			s.meter.drop(why, p.source)
			return answered
		}
		s.meter.receive(req)
		p.req = req
	}
	table := s.interfaces.table.Load()
	in := arrivedBy{arrival: p.arrival, source: p.source, ifc: table.byIndex[p.ifindex]}
	ingress := in.ingress(p.via.proxy)
	if o.prompt && !s.chain.prompt(p.req, ingress) {
		p.promise, o.promise = o.promise, nil // the worker decides anew
		return waits
	}
	s.chain.answer(&o, p.req, ingress, serverIdentifier(p.req, in, table.local), nil)
	switch {
	case o.prompt && o.waits():
		return waits
	case o.promises():
		s.giveAway(p)
		s.parked.add(parked{p, o, in, table.local})
		return parks
	}
	s.conclude(p, &o, in, table.local, out)
	return answered
}

// conclude counts what came of a packet, and sends the reply if there is one.
func (s *Server) conclude(p *packet, o *Outcome, in arrivedBy, local map[netip.Addr]bool, out *outbox) {
	req := p.req
	if o.Drop != "" {
		s.working.end(p)
		s.meter.dropMessage(o.Drop, req)
		return
	}
	in.vouched = o.vouched(req, p.source)
	if len(o.leftOut) > 0 || !o.fits {
		s.meter.trimmed(req, o.leftOut, o.fits)
	}
	if o.Proxied {
		s.working.end(p)
		s.sendProxy(p, o, in, local)
		return
	}
	s.send(p, o, in, local, out)
}

// ingress is the way in as the handlers get to know it.
func (in arrivedBy) ingress(bootPort bool) dhcp4.Ingress {
	g := dhcp4.Ingress{Source: in.source, Delivery: lease.DeliveryBroadcast, BootPort: bootPort}
	if in.unicast {
		g.Delivery = lease.DeliveryUnicast
	}
	if in.ifc != nil {
		g.Interface, g.Addrs, g.Bits = in.ifc.name, in.ifc.addrs, in.ifc.bits
	}
	return g
}

// send sends the reply as RFC 2131 section 4.1 says. With an outbox one
// that leaves through the socket waits there for the others. The client may send again
// at once: what it sends waits for a reply in an outbox, and not for other hands.
func (s *Server) send(p *packet, o *Outcome, in arrivedBy, local map[netip.Addr]bool, out *outbox) {
	if out == nil {
		s.working.end(p)
	} else if p.away {
		s.working.comeBack(p)
	}
	resp := o.Reply
	source := sourceAddress(resp, in, local)
	d := destinationOf(p.req, resp, in, s.frames != nil && source.IsValid())
	r := outgoing{reply: resp, row: d.name, at: p.at, wire: o.wire}
	if d.path == byHardware {
		err := s.frames.send(in.ifindex, resp.ClientHWAddr, netip.AddrPortFrom(source, p.via.port), d.to, r.wire)
		if err == nil {
			s.working.end(p)
			r.told(s.meter, time.Now(), nil)
			return
		}
		s.meter.frameFailed(err)
		d = destinationOf(p.req, resp, in, false)
		r.row = d.name
	}
	r.control, r.to = p.ask(source, d.leaveBy(in)), d.to
	if out != nil {
		r.client, p.client = p.client, client{}
		out.add(r)
		return
	}
	s.write(p.via, r)
}

// write sends one reply through the socket.
func (s *Server) write(l *listener, r outgoing) {
	_, _, err := l.conn.WriteMsgUDPAddrPort(r.wire, r.control, r.to)
	r.told(s.meter, time.Now(), err)
}
