package netbox

// Outcome is what became of the write of one object.
type Outcome string

// The outcomes. Done and Unchanged both mean that the object is as wanted.
const (
	Done      Outcome = "done"
	Unchanged Outcome = "unchanged" // it was so already, or the object to delete is gone: nothing was written
	Changed   Outcome = "changed"   // it is neither as it was when the write was decided nor as wanted: nothing was written
	Gone      Outcome = "gone"      // the object to change is not there any more
	Refused   Outcome = "refused"   // the other side does not take it; the same write will fail again
	Failed    Outcome = "failed"    // trouble, or an unknown result: the same write may be tried again
)
