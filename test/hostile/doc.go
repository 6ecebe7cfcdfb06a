// Package hostile tests the promise that trouble is silence: the built server
// works through minutes in which strangers attack it while NetBox, disk and clock
// fail by turns, and clients that NetBox or the lease store knows keep asking.
// Nothing here is imported, and no test reaches into the server.
package hostile
