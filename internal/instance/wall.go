//go:build !clockstep

package instance

import "time"

// timeOfDay is the wall clock.
func timeOfDay() time.Time { return time.Now() }

// sinceThen is how long time ran from one reading of the clock to another.
func sinceThen(began, now time.Time) time.Duration { return now.Sub(began) }
