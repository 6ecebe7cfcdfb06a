package openssh

// AwaitEnd blocks until the door knows that its connection and idle sessions have ended.
func (d *Door) AwaitEnd() {
	<-d.conn.done
	for _, s := range d.idle {
		<-s.done
	}
}
