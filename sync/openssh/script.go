package openssh

// Script is the text that is sent, or with bound the one that is installed.
func Script(write, bound bool) string { return "" }

// command is the line that starts PowerShell with the bootstrap.
func command(powershell string) string { return powershell }
