# The first text that runs on a server which netbox-dhcp-sync asks through
# OpenSSH: it reads the script from standard input and runs it. It goes as an
# encoded command, without these lines of comment; that command must be shorter
# than 1000 characters, so what stands below is short.
#
# The mode of the language comes first: where an administrator restricts
# PowerShell, calls of .NET fail, so none stands before that line, and none is
# made at all in another mode. Write-Host hands the line to the host of
# PowerShell, which writes it to standard output and does not hold it back until
# a format or a buffer is full. Progress would come out as XML.
#
# The automatic variable for standard input is not used: with it PowerShell would
# read all of standard input itself, before the first line of this runs.
$ProgressPreference='SilentlyContinue'
$m=$ExecutionContext.SessionState.LanguageMode
Write-Host "#nds boot $m"
if("$m" -eq 'FullLanguage'){&([scriptblock]::Create([Text.Encoding]::UTF8.GetString([Convert]::FromBase64String([Console]::In.ReadLine()))))}
