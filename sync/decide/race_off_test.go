//go:build !race

package decide

// raceDetector is whether these tests run under it.
const raceDetector = false
