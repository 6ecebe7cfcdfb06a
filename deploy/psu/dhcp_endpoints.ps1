# DHCP endpoints for PowerShell Universal 5, read and written by
# netbox-dhcp-sync. Install: README.md beside this file.
#
# Runs under Windows PowerShell 5.1 and PowerShell 7 on a server with the
# module DhcpServer. Every endpoint needs an app token with the role DHCPReader
# or DHCPWriter; those that change something need DHCPWriter.

# PowerShell Universal runs each endpoint in a runspace of its own, where
# nothing of this file exists. So every endpoint gets this text in front of its
# own. Variables such as $scope_id come from the path and the query string,
# $Body is the text of the request.
$Common = {
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $ScriptVersion = '1.1.0'

    # Ends the request with a status of its own; any other error is a 500.
    function Stop-Request {
        param([int] $Status, [string] $Message)
        $problem = New-Object System.InvalidOperationException $Message
        $problem.Data['status'] = $Status
        throw $problem
    }

    function Send-Json {
        param([int] $Status, $Value)
        $json = ConvertTo-Json -InputObject $Value -Depth 5 -Compress
        New-PSUApiResponse -StatusCode $Status -ContentType 'application/json; charset=utf-8' -Body $json
    }

    # Always an array, for none and one entry too.
    function Send-List {
        param($Entries)
        $list = New-Object System.Collections.ArrayList
        foreach ($entry in $Entries) { [void] $list.Add($entry) }
        if ($list.Count -eq 0) {
            New-PSUApiResponse -StatusCode 200 -ContentType 'application/json; charset=utf-8' -Body '[]'
            return
        }
        Send-Json 200 $list.ToArray()
    }

    function Send-Nothing { New-PSUApiResponse -StatusCode 204 }

    function Send-Problem {
        param($Record)
        $status = $Record.Exception.Data['status']
        if (-not $status) { $status = 500 }
        Send-Json $status ([ordered]@{ error = [string] $Record.Exception.Message })
    }

    function ConvertTo-Text {
        param($Value)
        if ($null -eq $Value) { return '' }
        return [string] $Value
    }

    # Four decimal numbers and nothing else: .NET reads '1' and octal numbers
    # as addresses too.
    function Assert-IPv4 {
        param([string] $Name, [string] $Text)
        $address = $null
        if (-not [System.Net.IPAddress]::TryParse($Text, [ref] $address) -or $address.ToString() -ne $Text -or
            $address.AddressFamily -ne [System.Net.Sockets.AddressFamily]::InterNetwork) {
            Stop-Request 400 "$Name is not an IPv4 address"
        }
    }

    function Get-Network {
        param([string] $Address, [string] $Mask)
        $bytes = ([System.Net.IPAddress] $Address).GetAddressBytes()
        $ones = ([System.Net.IPAddress] $Mask).GetAddressBytes()
        return (0..3 | ForEach-Object { $bytes[$_] -band $ones[$_] }) -join '.'
    }

    # The body as an object. Its members say which keys were sent.
    function Read-Input {
        param([string] $Text, [string[]] $Mandatory)
        $fields = $null
        try { $fields = ConvertFrom-Json -InputObject $Text } catch { Stop-Request 400 'the body is not JSON' }
        if ($fields -isnot [System.Management.Automation.PSCustomObject]) { Stop-Request 400 'the body is not a JSON object' }
        foreach ($name in $Mandatory) {
            if (-not (ConvertTo-Text $fields.$name)) { Stop-Request 400 "$name is required" }
        }
        foreach ($name in 'scope_id', 'ip_address', 'start_ip', 'end_ip', 'subnet_mask', 'router') {
            if (ConvertTo-Text $fields.$name) { Assert-IPv4 $name $fields.$name }
        }
        return $fields
    }

    function Test-Key {
        param($Fields, [string] $Name)
        return $null -ne $Fields.PSObject.Properties[$Name]
    }

    # Whole seconds; 0 where there is no duration or it is unlimited.
    function ConvertTo-Seconds {
        param($Span)
        if ($Span -isnot [TimeSpan]) { return 0 }
        $seconds = [math]::Floor($Span.TotalSeconds)
        if ($seconds -ge [uint32]::MaxValue -or $seconds -lt 0) { return 0 }
        return [int64] $seconds
    }

    # A scope that is missing is a 404, any other trouble a 500.
    function Get-OneScope {
        param([string] $Id, [int] $Missing = 404)
        Assert-IPv4 'scope_id' $Id
        $scope = Get-DhcpServerv4Scope | Where-Object { $_.ScopeId.IPAddressToString -eq $Id }
        if (-not $scope) { Stop-Request $Missing "scope $Id not found" }
        return $scope
    }

    # The scopes of a query: one, or all.
    function Get-WantedScope {
        param([string] $Id)
        if ($Id) { return Get-OneScope $Id 500 }
        return Get-DhcpServerv4Scope
    }

    function ConvertTo-Scope {
        param($Scope)
        return [ordered]@{
            scope_id               = $Scope.ScopeId.IPAddressToString
            name                   = ConvertTo-Text $Scope.Name
            start_ip               = $Scope.StartRange.IPAddressToString
            end_ip                 = $Scope.EndRange.IPAddressToString
            subnet_mask            = $Scope.SubnetMask.IPAddressToString
            description            = ConvertTo-Text $Scope.Description
            state                  = ConvertTo-Text $Scope.State
            lease_duration_seconds = ConvertTo-Seconds $Scope.LeaseDuration
        }
    }

    function ConvertTo-ListedScope {
        param($Scope, $Relationships)
        $out = ConvertTo-Scope $Scope
        # All values of the scope rather than option 3 alone: asking for one
        # that is not set is an error that looks like any other.
        $router = Get-DhcpServerv4OptionValue -ScopeId $Scope.ScopeId | Where-Object { $_.OptionId -eq 3 } | Select-Object -First 1
        $out['router'] = $null
        if ($router -and $router.Value) { $out['router'] = [string] @($router.Value)[0] }
        $out['failover_name'] = $null
        foreach ($relationship in $Relationships) {
            if (@($relationship.ScopeId | ForEach-Object { $_.IPAddressToString }) -contains $out['scope_id']) {
                $out['failover_name'] = [string] $relationship.Name
            }
        }
        return $out
    }

    function ConvertTo-Lease {
        param($Lease)
        $expiry = $null
        if ($Lease.LeaseExpiryTime) {
            $expiry = $Lease.LeaseExpiryTime.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [cultureinfo]::InvariantCulture)
        }
        return [ordered]@{
            ip_address    = $Lease.IPAddress.IPAddressToString
            client_id     = ConvertTo-Text $Lease.ClientId
            hostname      = ConvertTo-Text $Lease.HostName
            scope_id      = $Lease.ScopeId.IPAddressToString
            lease_expiry  = $expiry
            address_state = ConvertTo-Text $Lease.AddressState
        }
    }

    function ConvertTo-Reservation {
        param($Reservation)
        return [ordered]@{
            ip_address  = $Reservation.IPAddress.IPAddressToString
            client_id   = ConvertTo-Text $Reservation.ClientId
            name        = ConvertTo-Text $Reservation.Name
            description = ConvertTo-Text $Reservation.Description
            type        = ConvertTo-Text $Reservation.Type
            scope_id    = $Reservation.ScopeId.IPAddressToString
        }
    }

    function ConvertTo-Exclusion {
        param($Exclusion)
        return [ordered]@{
            scope_id = $Exclusion.ScopeId.IPAddressToString
            start_ip = $Exclusion.StartRange.IPAddressToString
            end_ip   = $Exclusion.EndRange.IPAddressToString
        }
    }

    function ConvertTo-Option {
        param($Option)
        return [ordered]@{
            code         = [int] $Option.OptionId
            name         = ConvertTo-Text $Option.Name
            value        = @($Option.Value | Where-Object { $null -ne $_ } | ForEach-Object { [string] $_ })
            type         = ConvertTo-Text $Option.Type
            vendor_class = ConvertTo-Text $Option.VendorClass
        }
    }

    # The answering server is always the primary one here, in both roles.
    function ConvertTo-Failover {
        param($Relationship, [string] $Self)
        $switchover = $null
        if ($Relationship.AutoStateTransition) { $switchover = ConvertTo-Seconds $Relationship.StateSwitchInterval }
        return [ordered]@{
            name                      = [string] $Relationship.Name
            primary_server            = $Self
            secondary_server          = ConvertTo-Text $Relationship.PartnerServer
            mode                      = ConvertTo-Text $Relationship.Mode
            scope_ids                 = @($Relationship.ScopeId | Where-Object { $_ } | ForEach-Object { $_.IPAddressToString })
            max_client_lead_time      = ConvertTo-Seconds $Relationship.MaxClientLeadTime
            max_response_delay        = 0
            state_switchover_interval = $switchover
            enable_auth               = [bool] $Relationship.EnableAuth
        }
    }

    function Get-SelfName {
        try { return [System.Net.Dns]::GetHostEntry('').HostName } catch { return $env:COMPUTERNAME }
    }

    # Lower-case hex pairs with hyphens, as Windows writes them.
    function ConvertTo-ClientId {
        param([string] $Text)
        $bare = $Text.ToLowerInvariant() -replace '[^0-9a-f]', ''
        return ($bare -replace '(..)(?=.)', '$1-')
    }

    # The reservation of a client. One client may have one in each scope: then
    # it is not known which is meant.
    function Get-ClientReservation {
        param([string] $Client)
        $wanted = ConvertTo-ClientId $Client
        $found = @(Get-DhcpServerv4Scope | Get-DhcpServerv4Reservation | Where-Object { (ConvertTo-ClientId $_.ClientId) -eq $wanted })
        if ($found.Count -eq 0) { Stop-Request 404 'reservation not found' }
        if ($found.Count -gt 1) { Stop-Request 500 "the client has reservations in $($found.Count) scopes" }
        return $found[0]
    }

    # Sets the one router of a scope, or removes the option.
    function Set-Router {
        param([string] $Scope, [string] $Router)
        if ($Router) {
            Set-DhcpServerv4OptionValue -ScopeId $Scope -OptionId 3 -Value $Router -Force
            return
        }
        $set = Get-DhcpServerv4OptionValue -ScopeId $Scope | Where-Object { $_.OptionId -eq 3 }
        if ($set) { Remove-DhcpServerv4OptionValue -ScopeId $Scope -OptionId 3 }
    }

    function ConvertTo-LeaseSpan {
        param($Seconds)
        $whole = 0L
        if (-not [int64]::TryParse([string] $Seconds, [ref] $whole) -or $whole -le 0) {
            Stop-Request 400 'lease_duration_seconds is not a positive number'
        }
        return [TimeSpan]::FromSeconds($whole)
    }
}

# Adds one endpoint. Access is Read (both roles) or Write (DHCPWriter only).
function Add-DhcpEndpoint {
    param([string] $Method, [string] $Path, [string] $Access, [scriptblock] $Script)
    $roles = @('DHCPWriter')
    if ($Access -eq 'Read') { $roles = @('DHCPReader', 'DHCPWriter') }
    $text = $Common.ToString() + "`ntry {`nImport-Module DhcpServer`n" + $Script.ToString() + "`n} catch { Send-Problem `$_ }`n"
    New-PSUEndpoint -Url "/api/dhcp/$Path" -Method $Method -Authentication -Role $roles -Endpoint ([scriptblock]::Create($text))
}

Add-DhcpEndpoint GET 'health' Read {
    Send-Json 200 ([ordered]@{ status = 'ok'; version = $ScriptVersion })
}

Add-DhcpEndpoint POST 'health' Write {
    Send-Json 200 ([ordered]@{ status = 'ok' })
}

Add-DhcpEndpoint GET 'scopes' Read {
    $relationships = @(Get-DhcpServerv4Failover)
    $scopes = Get-DhcpServerv4Scope
    if ($active_only -eq 'true') { $scopes = $scopes | Where-Object { [string] $_.State -eq 'Active' } }
    Send-List @($scopes | Where-Object { $_ } | ForEach-Object { ConvertTo-ListedScope $_ $relationships })
}

Add-DhcpEndpoint GET 'scopes/:scope_id' Read {
    Send-Json 200 (ConvertTo-Scope (Get-OneScope $scope_id))
}

Add-DhcpEndpoint POST 'scopes' Write {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip', 'subnet_mask'
    # Windows works the network out itself; it must be the one that is meant.
    if ((Get-Network $in.start_ip $in.subnet_mask) -ne $in.scope_id) {
        Stop-Request 400 'scope_id is not the network of start_ip and subnet_mask'
    }
    $new = @{
        StartRange = $in.start_ip
        EndRange   = $in.end_ip
        SubnetMask = $in.subnet_mask
        Name       = ConvertTo-Text $in.name
        State      = 'Active'
    }
    if (-not $new.Name) { $new.Name = $in.scope_id }
    if ($in.description) { $new.Description = [string] $in.description }
    if ($in.lease_duration_seconds) { $new.LeaseDuration = ConvertTo-LeaseSpan $in.lease_duration_seconds }
    [void] (Add-DhcpServerv4Scope @new)
    if ($in.router) { Set-Router $in.scope_id $in.router }
    Send-Json 201 (ConvertTo-Scope (Get-OneScope $in.scope_id))
}

Add-DhcpEndpoint PUT 'scopes/:scope_id' Write {
    $old = Get-OneScope $scope_id
    $in = Read-Input $Body @()
    $change = @{}
    if (ConvertTo-Text $in.name) { $change.Name = [string] $in.name }
    if (Test-Key $in 'description') { $change.Description = ConvertTo-Text $in.description }
    if ($in.lease_duration_seconds) { $change.LeaseDuration = ConvertTo-LeaseSpan $in.lease_duration_seconds }
    # The cmdlet takes both ends of the range or none.
    if ((ConvertTo-Text $in.start_ip) -or (ConvertTo-Text $in.end_ip)) {
        $change.StartRange = $old.StartRange
        $change.EndRange = $old.EndRange
        if ($in.start_ip) { $change.StartRange = $in.start_ip }
        if ($in.end_ip) { $change.EndRange = $in.end_ip }
    }
    if ($change.Count -gt 0) { Set-DhcpServerv4Scope -ScopeId $scope_id @change }
    if (Test-Key $in 'router') { Set-Router $scope_id (ConvertTo-Text $in.router) }
    Send-Json 200 (ConvertTo-Scope (Get-OneScope $scope_id))
}

Add-DhcpEndpoint GET 'leases' Read {
    Send-List @(Get-WantedScope $scope_id | Where-Object { $_ } | Get-DhcpServerv4Lease |
        Where-Object { [string] $_.AddressState -in 'Active', 'ActiveReservation' } | ForEach-Object { ConvertTo-Lease $_ })
}

Add-DhcpEndpoint GET 'reservations' Read {
    Send-List @(Get-WantedScope $scope_id | Where-Object { $_ } | Get-DhcpServerv4Reservation | ForEach-Object { ConvertTo-Reservation $_ })
}

Add-DhcpEndpoint POST 'reservations' Write {
    $in = Read-Input $Body 'scope_id', 'ip_address', 'client_id'
    $new = @{ ScopeId = $in.scope_id; IPAddress = $in.ip_address; ClientId = ConvertTo-ClientId $in.client_id }
    if (-not $new.ClientId) { Stop-Request 400 'client_id is not made of hex pairs' }
    if ($in.name) { $new.Name = [string] $in.name }
    if ($in.description) { $new.Description = [string] $in.description }
    if ($in.type) { $new.Type = [string] $in.type }
    Send-Json 201 (ConvertTo-Reservation (Add-DhcpServerv4Reservation @new -PassThru))
}

Add-DhcpEndpoint PUT 'reservations/:client_id' Write {
    $old = Get-ClientReservation $client_id
    $in = Read-Input $Body @()
    $change = @{}
    if (ConvertTo-Text $in.name) { $change.Name = [string] $in.name }
    if (Test-Key $in 'description') { $change.Description = ConvertTo-Text $in.description }
    if (ConvertTo-Text $in.type) { $change.Type = [string] $in.type }
    if ($change.Count -gt 0) { Set-DhcpServerv4Reservation -IPAddress $old.IPAddress @change }
    Send-Json 200 (ConvertTo-Reservation (Get-DhcpServerv4Reservation -IPAddress $old.IPAddress))
}

Add-DhcpEndpoint DELETE 'reservations/:client_id' Write {
    $old = Get-ClientReservation $client_id
    Remove-DhcpServerv4Reservation -IPAddress $old.IPAddress
    Send-Nothing
}

Add-DhcpEndpoint GET 'failover' Read {
    $self = Get-SelfName
    Send-List @(Get-DhcpServerv4Failover | Where-Object { $_ } | ForEach-Object { ConvertTo-Failover $_ $self })
}

Add-DhcpEndpoint POST 'failover' Write {
    $in = Read-Input $Body 'name', 'secondary_server', 'scope_ids'
    $new = @{ Name = [string] $in.name; PartnerServer = [string] $in.secondary_server; ScopeId = @($in.scope_ids) }
    $new.MaxClientLeadTime = [TimeSpan]::FromSeconds(3600)
    if ($in.max_client_lead_time) { $new.MaxClientLeadTime = ConvertTo-LeaseSpan $in.max_client_lead_time }
    if ($in.state_switchover_interval) {
        $new.AutoStateTransition = $true
        $new.StateSwitchInterval = ConvertTo-LeaseSpan $in.state_switchover_interval
    }
    if ($in.mode -eq 'HotStandby') { $new.ServerRole = 'Active' }
    if ($in.shared_secret) { $new.SharedSecret = [string] $in.shared_secret }
    $made = Add-DhcpServerv4Failover @new -Force -PassThru
    Send-Json 201 (ConvertTo-Failover $made (Get-SelfName))
}

Add-DhcpEndpoint GET 'options/server' Read {
    Send-List @(Get-DhcpServerv4OptionValue -All | Where-Object { $_ } | ForEach-Object { ConvertTo-Option $_ })
}

Add-DhcpEndpoint GET 'options/scope/:scope_id' Read {
    [void] (Get-OneScope $scope_id)
    Send-List @(Get-DhcpServerv4OptionValue -ScopeId $scope_id -All | Where-Object { $_ } | ForEach-Object { ConvertTo-Option $_ })
}

Add-DhcpEndpoint GET 'exclusions' Read {
    if (-not $scope_id) { Stop-Request 400 'scope_id is required' }
    [void] (Get-OneScope $scope_id)
    Send-List @(Get-DhcpServerv4ExclusionRange -ScopeId $scope_id | Where-Object { $_ } | ForEach-Object { ConvertTo-Exclusion $_ })
}

Add-DhcpEndpoint POST 'exclusions' Write {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'
    Add-DhcpServerv4ExclusionRange -ScopeId $in.scope_id -StartRange $in.start_ip -EndRange $in.end_ip
    Send-Json 201 ([ordered]@{ scope_id = $in.scope_id; start_ip = $in.start_ip; end_ip = $in.end_ip })
}

Add-DhcpEndpoint DELETE 'exclusions' Write {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'
    Remove-DhcpServerv4ExclusionRange -ScopeId $in.scope_id -StartRange $in.start_ip -EndRange $in.end_ip
    Send-Nothing
}
