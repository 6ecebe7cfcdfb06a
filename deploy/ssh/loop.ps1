# Answers the requests of netbox-dhcp-sync through OpenSSH, line by line (rules
# 13.1 to 13.6 of docs/spec/mirror.md). The endpoint script stands in the middle,
# as PowerShell Universal runs it. netbox-dhcp-sync sends this text at each login,
# or it is installed for a forced command: README.md beside this file.
#
# Runs under Windows PowerShell 5.1 and PowerShell 7. It takes requests from
# standard input and never runs what it reads there.

# With $true the greeting says that this is the installed script.
$NdsBound = $false

$ProgressPreference = 'SilentlyContinue'
$ErrorActionPreference = 'Stop'

# Where an administrator restricts PowerShell, nothing below would work. The
# bootstrap says so in the same words.
$NdsMode = "$($ExecutionContext.SessionState.LanguageMode)"
if ($NdsMode -ne 'FullLanguage') {
    Write-Host "#nds boot $NdsMode"
    exit 0
}

# Lines for netbox-dhcp-sync go to a writer of their own, which no code page and
# no setting of the console touches. What anything else prints goes to standard
# error, so that it cannot stand between them.
$NdsOut = New-Object System.IO.StreamWriter ([Console]::OpenStandardOutput()), ([System.Text.Encoding]::ASCII), 65536
$NdsOut.NewLine = "`n"
[Console]::SetOut([Console]::Error)

$NdsRoutes = New-Object System.Collections.ArrayList

# Takes the place of the cmdlet of PowerShell Universal: keeps the endpoint, and
# the names that its param block declares. No other name of a request becomes a
# variable of it. What the account may do, Windows says.
function New-PSUEndpoint {
    param([string] $Url, [string] $Method, [switch] $Authentication, [string[]] $Role, [scriptblock] $Endpoint)
    $names = New-Object System.Collections.ArrayList
    foreach ($parameter in $Endpoint.Ast.ParamBlock.Parameters) {
        [void] $names.Add($parameter.Name.VariablePath.UserPath)
    }
    $prefix = '/api/dhcp/'
    if (-not $Url.StartsWith($prefix, [System.StringComparison]::Ordinal)) { throw "the endpoint $Url is not below $prefix" }
    [void] $NdsRoutes.Add(@{ Method = $Method; Parts = $Url.Substring($prefix.Length).Split('/'); Names = $names; Endpoint = $Endpoint })
}

# Takes the place of the cmdlet of PowerShell Universal: an answer of an endpoint.
# The name of its type tells it from all else that comes out of there.
function New-PSUApiResponse {
    param([int] $StatusCode = 200, [string] $ContentType, [string] $Body)
    return [pscustomobject] @{ PSTypeName = 'Nds.Answer'; Status = $StatusCode; Body = $Body }
}

# ---- the endpoint script ----
#nds endpoints
# ---- end of the endpoint script ----

function Get-NdsTime {
    return [DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [cultureinfo]::InvariantCulture)
}

# One write and one flush, so that a line is there as a whole and at once.
function Send-NdsLine {
    param([string] $Line)
    $NdsOut.WriteLine($Line)
    $NdsOut.Flush()
}

function ConvertTo-NdsBase64 {
    param([string] $Text)
    return [Convert]::ToBase64String([System.Text.Encoding]::UTF8.GetBytes($Text))
}

# CORP\name. Systems other than Windows have no such thing, and tell the name.
function Get-NdsAccount {
    try { return [System.Security.Principal.WindowsIdentity]::GetCurrent().Name } catch { return [Environment]::UserName }
}

# Who is there, and what the script is (rule 13.3).
function Send-NdsHello {
    $version = [regex]::Match($Common.ToString(), "ScriptVersion = '([0-9.]+)'").Groups[1].Value
    $rights = 'write'
    if ($ReadOnly) { $rights = 'read' }
    $zone = [TimeZoneInfo]::Local
    $hello = [ordered] @{
        protocol       = 1
        script         = 'netbox-dhcp-sync'
        version        = $version
        bound          = $NdsBound
        rights         = $rights
        edition        = [string] $PSVersionTable.PSEdition
        powershell     = $PSVersionTable.PSVersion.ToString()
        computer       = [Environment]::MachineName
        account        = Get-NdsAccount
        zone           = $zone.Id
        offset_minutes = [int] $zone.GetUtcOffset([DateTime]::UtcNow).TotalMinutes
        utc            = Get-NdsTime
    }
    $json = ConvertTo-Json -InputObject $hello -Compress
    Send-NdsLine "#nds hello $(ConvertTo-NdsBase64 $json)"
}

# A text of a request, with the mark that Read-NdsRequest put in front taken off.
function Get-NdsText {
    param($Value)
    if ($Value -isnot [string] -or -not $Value.StartsWith('_', [System.StringComparison]::Ordinal)) { throw 'not a text' }
    return $Value.Substring(1)
}

# The request in a line; nothing where there is none. ConvertFrom-Json makes a time
# of each text that looks like one, so each text gets a mark in front, keys too.
function Read-NdsRequest {
    param([string] $Line)
    try {
        $strict = New-Object System.Text.UTF8Encoding $false, $true
        $text = $strict.GetString([Convert]::FromBase64String($Line))
        if (-not $text.StartsWith('{', [System.StringComparison]::Ordinal)) { throw 'not an object' }
        $marked = [regex]::Replace($text, '"([^"\\]*(?:\\.[^"\\]*)*)"', '"_$1"')
        $fields = ConvertFrom-Json -InputObject $marked -ErrorAction Stop
        $id = $fields._id
        if (($id -isnot [int] -and $id -isnot [long]) -or $id -lt 1) { throw 'no id' }
        if ($fields._query -isnot [System.Management.Automation.PSCustomObject]) { throw 'no query' }
        $query = @{}
        foreach ($property in $fields._query.PSObject.Properties) {
            $query[(Get-NdsText $property.Name)] = Get-NdsText $property.Value
        }
        return @{
            Id     = $id
            Method = Get-NdsText $fields._method
            Path   = Get-NdsText $fields._path
            Query  = $query
            Body   = Get-NdsText $fields._body
        }
    }
    catch { return $null }
}

# The values of the parameters of a route in a path; nothing where it does not fit.
function Get-NdsPathValue {
    param([string[]] $Parts, [string[]] $Sent)
    if ($Parts.Count -ne $Sent.Count) { return $null }
    $values = @{}
    for ($i = 0; $i -lt $Parts.Count; $i++) {
        if ($Parts[$i].StartsWith(':', [System.StringComparison]::Ordinal)) {
            if ($Sent[$i] -eq '') { return $null }
            $values[$Parts[$i].Substring(1)] = $Sent[$i]
        }
        elseif ($Parts[$i] -cne $Sent[$i]) { return $null }
    }
    return $values
}

function Get-NdsFailure {
    param([int] $Status, [string] $Id, [string] $Message)
    $json = ConvertTo-Json -InputObject ([ordered] @{ error = $Message; error_id = $Id; reason = '' }) -Compress
    return New-PSUApiResponse -StatusCode $Status -Body $json
}

# Runs an endpoint in a scope of its own, which goes with all that it sets. All of
# its streams are looked through for the answer; the last one counts, since an
# error after an answer makes a second.
function Invoke-NdsEndpoint {
    param([scriptblock] $Endpoint, [hashtable] $Values, [string] $Body)
    $answer = $null
    try {
        foreach ($thing in @(& $Endpoint @Values *>&1)) {
            if ($null -ne $thing -and $thing.PSObject.TypeNames -contains 'Nds.Answer') { $answer = $thing }
        }
    }
    catch { return Get-NdsFailure 500 'endpoint' ([string] $_.Exception.Message) }
    if ($null -eq $answer) { return Get-NdsFailure 500 'endpoint' 'the endpoint gave no answer' }
    return $answer
}

# The answer to a request. Names of the query that the endpoint does not declare are
# left out; those of the path go before those of the query (rule 13.6).
function Get-NdsAnswer {
    param([hashtable] $Request)
    foreach ($route in $NdsRoutes) {
        if ($route.Method -cne $Request.Method) { continue }
        $path = Get-NdsPathValue $route.Parts ($Request.Path.Split('/'))
        if ($null -eq $path) { continue }
        $values = @{}
        foreach ($name in $route.Names) {
            if ($path.ContainsKey($name)) { $values[$name] = $path[$name] }
            elseif ($Request.Query.ContainsKey($name)) { $values[$name] = $Request.Query[$name] }
        }
        return Invoke-NdsEndpoint $route.Endpoint $values $Request.Body
    }
    return Get-NdsFailure 404 'route' 'the script has no such endpoint'
}

function Send-NdsReply {
    param($Id, $Answer)
    $body = '-'
    if ($Answer.Body) { $body = ConvertTo-NdsBase64 $Answer.Body }
    Send-NdsLine "#nds reply $Id $($Answer.Status) $(Get-NdsTime) $body"
}

Send-NdsHello
while ($null -ne ($NdsLine = [Console]::In.ReadLine())) {
    $NdsRequest = Read-NdsRequest $NdsLine
    if ($null -eq $NdsRequest) {
        [Console]::Error.WriteLine('netbox-dhcp-sync: a line that is not a request ends the session')
        exit 1
    }
    Send-NdsReply $NdsRequest.Id (Get-NdsAnswer $NdsRequest)
}
exit 0
