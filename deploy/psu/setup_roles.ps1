#Requires -Modules Universal
<#
.SYNOPSIS
Makes the roles of the DHCP endpoints and one app token for each.

.DESCRIPTION
Run it on the Windows server itself, after dhcp_endpoints.ps1 was installed. It
needs an app token with the role Administrator, asks for it without showing it,
and revokes nothing. What exists already is left alone. Each new token is tried
at the endpoints before it is shown; one that does not work is not shown. New
tokens are shown once: copy them at once.

.PARAMETER Url
Where PowerShell Universal answers.

.PARAMETER TrustCertificate
Takes any certificate of that server, such as the one it made for itself. Only
for a Url on this very machine.

.PARAMETER Days
How long the new tokens are valid.

.EXAMPLE
.\setup_roles.ps1 -Url https://localhost:8443
#>
[CmdletBinding()]
param(
    [string] $Url = 'https://localhost:8443',
    [ValidateRange(1, 3650)] [int] $Days = 365,
    [switch] $TrustCertificate
)

$ErrorActionPreference = 'Stop'

# Asks the endpoints whether they are there. GET health needs a token for reading,
# POST health one for writing; neither changes anything. Gives the status.
function Get-Answer {
    param([string] $Method, [string] $Token)
    $request = @{ Uri = "$Url/api/dhcp/health"; Method = $Method; UseBasicParsing = $true; TimeoutSec = 60 }
    if ($Token) { $request.Headers = @{ Authorization = "Bearer $Token" } }
    if ($Method -eq 'POST') { $request.Body = '{}'; $request.ContentType = 'application/json' }
    if ($TrustCertificate -and $PSVersionTable.PSEdition -eq 'Core') { $request.SkipCertificateCheck = $true }
    try { return [int] (Invoke-WebRequest @request -ErrorAction Stop).StatusCode }
    catch {
        $status = $_.Exception.Response.StatusCode
        if ($status) { return [int] $status }
        throw "no answer from $Url, so that no token could be tried: $($_.Exception.Message)"
    }
}

# Windows PowerShell 5.1 asks a compiled rule, and no text, about a certificate.
if ($TrustCertificate -and $PSVersionTable.PSEdition -ne 'Core') {
    Add-Type -TypeDefinition 'public static class AnyCertificate { public static void Trust() { System.Net.ServicePointManager.ServerCertificateValidationCallback = (a, b, c, d) => true; } }'
    [AnyCertificate]::Trust()
    [System.Net.ServicePointManager]::SecurityProtocol = [System.Net.ServicePointManager]::SecurityProtocol -bor [System.Net.SecurityProtocolType]::Tls12
}

# Before anything is made: a server that cannot be asked could not try a token.
$before = Get-Answer 'GET' ''
if ($before -ne 401 -and $before -ne 403) {
    throw "$Url/api/dhcp/health answers $before to a request without a token, and 401 is right: check the port, and that dhcp_endpoints.ps1 is installed"
}

$secret = Read-Host -Prompt 'App token with the role Administrator' -AsSecureString
$bootstrap = (New-Object System.Management.Automation.PSCredential 'token', $secret).GetNetworkCredential().Password.Trim()
$server = @{ ComputerName = $Url; AppToken = $bootstrap }
if ($TrustCertificate) { $server.TrustCertificate = $true }

$roles = [ordered]@{
    DHCPReader = 'Reads the DHCP endpoints'
    DHCPWriter = 'Reads and writes the DHCP endpoints'
}
foreach ($role in $roles.Keys) {
    # Asking for a role answers the same whether or not it exists, and making
    # one twice is an error: so try.
    try {
        [void] (New-PSURole -Name $role -Description $roles[$role] @server)
        Write-Output "role ${role}: made"
    }
    catch {
        Write-Output "role ${role}: not made, it probably exists ($($_.Exception.Message))"
    }
}

$tokens = [ordered]@{
    'NetBox-DHCP-Read'  = 'DHCPReader'
    'NetBox-DHCP-Write' = 'DHCPWriter'
}
$known = @(Get-PSUAppToken @server | Where-Object { -not $_.Revoked } | ForEach-Object { $_.Identity.Name })
foreach ($name in $tokens.Keys) {
    if ($known -contains $name) {
        Write-Output "token ${name}: exists, and its value cannot be shown again; revoke it in the console to get a new one"
        continue
    }
    $granted = Grant-PSUAppToken -IdentityName $name -Role $tokens[$name] -Expiry (Get-Date).AddDays($Days) @server
    $method = 'GET'
    if ($tokens[$name] -eq 'DHCPWriter') { $method = 'POST' }
    $answer = Get-Answer $method $granted.Token
    if ($answer -ne 200) {
        Write-Output "token ${name}: made, but the endpoints answer $answer to it, so it is not shown: revoke it in the console, look at its role there, and that the endpoints are installed, and run this again"
        continue
    }
    Write-Output "token $name, valid for $Days days, tried:"
    Write-Output $granted.Token
}
