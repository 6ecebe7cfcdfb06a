package lease

import "time"

// Phase is what a stored lease is at a time, in the word that lists show.
type Phase string

// The closed list of phases.
const (
	PhaseRunning     Phase = "running"
	PhaseEnded       Phase = "ended"       // by its time or by its client, who is remembered
	PhaseQuarantined Phase = "quarantined"
	PhaseWithdrawn   Phase = "withdrawn"   // ended by command; its client may use the address until then (C-10)
)

// Phases returns all of them.
func Phases() []Phase { return []Phase{PhaseRunning, PhaseEnded, PhaseQuarantined, PhaseWithdrawn} }

// Phase returns what l is at a time.
func (l *Lease) Phase(now time.Time) Phase {
	if !now.Before(l.Expires) {
		return PhaseEnded
	}
	switch l.State {
	case Bound:
		return PhaseRunning
	case Quarantined:
		return PhaseQuarantined
	case Withdrawn:
		return PhaseWithdrawn
	case Released:
	}
	return PhaseEnded
}
