#Requires -Modules Universal
<#
.SYNOPSIS
Makes the roles of the DHCP endpoints and one app token for each.

.DESCRIPTION
Run it on the Windows server itself. It needs an app token with the role
Administrator, asks for it without showing it, and revokes nothing. What exists
already is left alone. New tokens are shown once: copy them at once.

.PARAMETER Url
Where PowerShell Universal answers.

.PARAMETER Days
How long the new tokens are valid.

.EXAMPLE
.\setup_roles.ps1 -Url https://localhost:8443
#>
[CmdletBinding()]
param(
    [string] $Url = 'https://localhost:8443',
    [ValidateRange(1, 3650)] [int] $Days = 365
)

$ErrorActionPreference = 'Stop'

$secret = Read-Host -Prompt 'App token with the role Administrator' -AsSecureString
$bootstrap = (New-Object System.Management.Automation.PSCredential 'token', $secret).GetNetworkCredential().Password.Trim()
$server = @{ ComputerName = $Url; AppToken = $bootstrap }

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
    Write-Output "token $name, valid for $Days days:"
    Write-Output $granted.Token
}
