package plan

import "fmt"

// Identity tells one NetBox from others: a copy for staging has the same id at
// another address, and another NetBox at the same address has another id
// (rule 5.5).
type Identity struct {
	ID  string `json:"id"`  // which bootstrap gave it
	URL string `json:"url"` // host and path of its address
}

// Keeper is where a memory is kept.
type Keeper struct {
	Host     string `json:"host"`      // name of the machine
	StateDir string `json:"state_dir"` // absolute path
}

// String names the place for people.
func (k Keeper) String() string { return fmt.Sprintf("%s on %s", k.StateDir, k.Host) }

// Here is where a run takes place: the address of its NetBox as in Identity.URL,
// and its own memory.
type Here struct {
	URL    string
	Keeper Keeper
}
