// Package exit names the exit codes that both programs share, for scripts and
// timers. It must not decide which one applies.
package exit

// The exit codes (E-1).
const (
	OK      = 0  // done, or nothing to do
	Failed  = 1  // finished with errors
	Differs = 2  // plan and drift found differences, and --detailed-exitcode asks for this
	Trouble = 2  // a comparison could not be made, as with diff: 1 says that things differ
	Locked  = 3  // another process holds the lock of the run or of the lease store
	Guard   = 4  // a guard held changes back
	Usage   = 64 // command line or settings are wrong, or NetBox is not prepared
)
