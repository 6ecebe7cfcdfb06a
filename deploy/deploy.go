// Package deploy holds the PowerShell texts that go to Windows servers, as they
// stand beside it, so that a program has those of its own version with it. It
// must not change them or say what they mean.
package deploy

import _ "embed"

// Endpoints is the endpoint script: the routes of the contract (rule 1.2).
//
//go:embed psu/dhcp_endpoints.ps1
var Endpoints string

// Loop answers requests line by line with the endpoint script, which goes where its
// text has the line "#nds endpoints" (rule 13.1).
//
//go:embed ssh/loop.ps1
var Loop string

// Bootstrap reads a script from standard input and runs it (rule 13.4). Its lines
// of comment are not sent.
//
//go:embed ssh/bootstrap.ps1
var Bootstrap string

// Sums are the SHA-256 of the texts that are sent or installed, a line each: hex
// digits, two blanks, and bootstrap, sent-read, sent-write, bound-read or bound-write.
//
//go:embed ssh/sums
var Sums string
