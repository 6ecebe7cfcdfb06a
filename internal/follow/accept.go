package follow

import "context"

// Accept is the operator's word that NetBox shows what is true: what vanished,
// and what was changed in numbers that were doubted, counts from now on. It
// returns how many rows were still held against it. The work is done between
// two polls; the error is the cause of an end of ctx before. Any goroutine may
// call it while Run runs.
func (f *Follower) Accept(ctx context.Context) (rows int, err error) {
	answer := make(chan int, 1)
	select {
	case f.accepts <- answer:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	select {
	case rows = <-answer:
		return rows, nil
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// accept carries the word out.
func (f *Follower) accept() (rows int) {
	if f.tables == nil {
		return 0
	}
	if rows = f.guard.letGo(); rows > 0 {
		f.log.WithField("rows", rows).Warn("accepted by the operator: what NetBox shows is true; rows that were kept against it are gone")
		f.publish()
	}
	return rows
}
