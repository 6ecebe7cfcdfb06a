// Package netboxtest is a NetBox for tests: a real HTTP server that answers the REST API as NetBox 4.2 to 4.7 do
// for everything this project uses, with faults on demand, and the contract suite that is run on it and on a real
// NetBox alike. Where the two differ the stand-in is wrong.
//
// It knows nothing of the client it tests: it speaks HTTP and JSON only and must not import go-netbox or any other
// package of this module.
package netboxtest
