package mirror

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/coredhcp-netbox/coredhcp-netbox/internal/exit"
)

// Outcome is how a run ended.
type Outcome int

// The outcomes of a run.
const (
	Clean       Outcome = iota // done, or nothing to do
	WithErrors                 // something could not be read, decided or written
	Locked                     // another run holds the lock, so nothing was done
	HeldBack                   // a guard held changes back
	NotPrepared                // NetBox lacks what a run needs, or the scope it is about, so nothing was done
)

// outcome tells how a run ended that returns err.
func outcome(run *Run, err error) Outcome {
	_, unprepared := errors.AsType[*NotPreparedError](err)
	_, unmatched := errors.AsType[*NoSuchScopeError](err)
	switch {
	case errors.Is(err, ErrLocked):
		return Locked
	case unprepared, unmatched:
		return NotPrepared
	case err != nil:
		return WithErrors
	case run.Plan.Refused():
		return HeldBack
	case run.Plan.Failed(), run.Report != nil && run.Report.Failed() > 0:
		return WithErrors
	}
	return Clean
}

// ExitCode is the outcome for scripts, metrics and records: one of package exit.
func (o Outcome) ExitCode() int {
	switch o {
	case Clean:
		return exit.OK
	case Locked:
		return exit.Locked
	case HeldBack:
		return exit.Guard
	case NotPrepared:
		return exit.Usage
	case WithErrors:
	}
	return exit.Failed
}

// MarshalJSON writes the exit code, as records of runs always did.
func (o Outcome) MarshalJSON() ([]byte, error) { return json.Marshal(o.ExitCode()) }

// UnmarshalJSON reads an exit code. One that is not known is an error of a run.
func (o *Outcome) UnmarshalJSON(data []byte) error {
	var code int
	if err := json.Unmarshal(data, &code); err != nil {
		return fmt.Errorf("exit code of a run: %w", err)
	}
	*o = WithErrors
	for known := Clean; known <= NotPrepared; known++ {
		if known.ExitCode() == code {
			*o = known
		}
	}
	return nil
}
