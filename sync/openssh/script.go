package openssh

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"

	"github.com/coredhcp-netbox/coredhcp-netbox/deploy"
)

// Script is the text that PowerShell runs: the loop with the endpoint script in it.
// Without write it has no route that writes, and none of the functions these need.
// With bound it is the text to install for a forced command, and says so in its
// greeting (rules 13.4 and 13.5).
func Script(write, bound bool) string {
	endpoints := deploy.Endpoints
	if !write {
		endpoints = strings.Replace(withoutWriting(endpoints), "\n$ReadOnly = $false\n", "\n$ReadOnly = $true\n", 1)
	}
	text := strings.Replace(deploy.Loop, "#nds endpoints\n", endpoints, 1)
	if bound {
		text = strings.Replace(text, "\n$NdsBound = $false\n", "\n$NdsBound = $true\n", 1)
	}
	return text
}

// withoutWriting cuts the regions out of the endpoint script that only writing needs.
func withoutWriting(text string) string {
	var b strings.Builder
	inside := false
	for line := range strings.Lines(text) {
		switch strings.TrimSpace(line) {
		case "#region writing":
			inside = true
		case "#endregion":
			inside = false
		default:
			if !inside {
				b.WriteString(line)
			}
		}
	}
	return b.String()
}

// bootstrap is the text of the command, without its lines of comment.
func bootstrap() string {
	var b strings.Builder
	for line := range strings.Lines(deploy.Bootstrap) {
		if !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// command is the line that starts PowerShell with the bootstrap. It is shorter than
// 1 000 characters with a path of up to 260, and has none that cmd.exe or PowerShell
// reads as anything but itself, if the path has none (rule 13.4).
func command(powershell string) string {
	var text []byte
	for _, unit := range utf16.Encode([]rune(bootstrap())) {
		text = binary.LittleEndian.AppendUint16(text, unit)
	}
	return powershell + " -NoProfile -NonInteractive -OutputFormat Text -EncodedCommand " + base64.StdEncoding.EncodeToString(text)
}
