# DHCP endpoints for PowerShell Universal 5, read and written by
# netbox-dhcp-sync. Install: README.md beside this file.
#
# Runs under Windows PowerShell 5.1 and PowerShell 7 on a server with the
# module DhcpServer. Every endpoint needs an app token with the role DHCPReader
# or DHCPWriter; those that change something need DHCPWriter.

# With $true no endpoint that changes something is made, and health says so. What
# only those need stands between lines of region writing; netbox-dhcp-sync cuts it
# out of the text it sends to a server that it may not write to.
$ReadOnly = $false

#region writing
# With $true there is an endpoint that makes failover relationships. It lets a
# writer's token make this server sign in at any host that the request names,
# and netbox-dhcp-sync never calls it.
$AllowFailover = $false
#endregion

# PowerShell Universal runs each endpoint in a runspace of its own, where
# nothing of this file exists. So every endpoint gets this text in front of its
# own, after its param block. $Body is the text of the request.
$Common = {
    # What an earlier request or a query left behind must not steer this one.
    $WhatIfPreference = $false
    $ConfirmPreference = 'None'
    $ErrorActionPreference = 'Stop'
    $ProgressPreference = 'SilentlyContinue'
    $WarningPreference = 'SilentlyContinue'
    $PSDefaultParameterValues = @{}
    $ScriptName = 'netbox-dhcp-sync'
    $ScriptVersion = '2026.11.1'

    # A preference does not reach the functions of a module, so each call of a
    # cmdlet says -ErrorAction Stop itself, and those that change something
    # -WhatIf:$false and -Confirm:$false as well.

    # ---- answers ----

    # Ends the request with a status of its own; any other error is a 500. Id is
    # a word or number that no language changes, About the field it is about.
    function Stop-Request {
        param([int] $Status, [string] $Id, [string] $About, [string] $Message)
        $problem = New-Object System.InvalidOperationException $Message
        $problem.Data['status'] = $Status
        $problem.Data['id'] = $Id
        $problem.Data['about'] = $About
        throw $problem
    }

    function Stop-Input {
        param([string] $Field, [string] $Message)
        Stop-Request 400 'input' $Field $Message
    }

    function Send-Json {
        param([int] $Status, $Value)
        $json = ConvertTo-Json -InputObject $Value -Depth 8 -Compress
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

    #region writing
    function Send-Nothing { New-PSUApiResponse -StatusCode 204 }
    #endregion

    # The number of an error, such as 'DHCP 20005'. Its text has none, and comes
    # in the language of the server.
    function Get-ErrorNumber {
        param($Record)
        $own = [string] $Record.Exception.Data['id']
        if ($own) { return $own }
        return ([string] $Record.FullyQualifiedErrorId -split ',')[0].Trim()
    }

    function Get-ErrorReason {
        param($Record)
        if ($Record.Exception.Data['id']) { return [string] $Record.Exception.Data['about'] }
        $data = $Record.Exception.ErrorData
        if ($data) {
            foreach ($name in 'error_WindowsErrorMessage', 'Message') {
                if ($data.$name) { return [string] $data.$name }
            }
        }
        return [string] $Record.CategoryInfo.Reason
    }

    function ConvertTo-Problem {
        param($Record)
        return [ordered]@{
            error    = [string] $Record.Exception.Message
            error_id = Get-ErrorNumber $Record
            reason   = Get-ErrorReason $Record
        }
    }

    function Send-Problem {
        param($Record)
        $status = $Record.Exception.Data['status']
        if (-not $status) { $status = 500 }
        Send-Json $status (ConvertTo-Problem $Record)
    }

    # Servers whose module does not say that it runs under PowerShell 7 would get
    # it through a hidden Windows PowerShell, with rebuilt objects. 5.1 does not
    # know the parameter that avoids it.
    function Import-Dhcp {
        try {
            if ($PSVersionTable.PSEdition -eq 'Core') { Import-Module DhcpServer -SkipEditionCheck -ErrorAction Stop }
            else { Import-Module DhcpServer -ErrorAction Stop }
        }
        catch { Stop-Request 500 'module' 'DhcpServer' "the module DhcpServer cannot be loaded: $($_.Exception.Message)" }
    }

    # ---- what is sent ----

    # Four decimal numbers and nothing else: .NET reads '1' and octal numbers
    # as addresses too.
    function Test-IPv4 {
        param([string] $Text)
        $address = $null
        return [System.Net.IPAddress]::TryParse($Text, [ref] $address) -and $address.ToString() -eq $Text -and
            $address.AddressFamily -eq [System.Net.Sockets.AddressFamily]::InterNetwork
    }

    function Assert-IPv4 {
        param([string] $Name, [string] $Text)
        if (-not (Test-IPv4 $Text)) { Stop-Input $Name "$Name is not an IPv4 address" }
    }

    #region writing
    # An address as a number, to compare.
    function Get-Order {
        param([string] $Address)
        $order = [int64] 0
        foreach ($byte in ([System.Net.IPAddress] $Address).GetAddressBytes()) { $order = $order * 256 + $byte }
        return $order
    }

    function Get-Network {
        param([string] $Address, [string] $Mask)
        $bytes = ([System.Net.IPAddress] $Address).GetAddressBytes()
        $ones = ([System.Net.IPAddress] $Mask).GetAddressBytes()
        return (0..3 | ForEach-Object { $bytes[$_] -band $ones[$_] }) -join '.'
    }

    # A range stands inside its subnet and does not end before it starts.
    function Assert-Range {
        param([string] $Network, [string] $Mask, [string] $Start, [string] $End)
        if ((Get-Network $Start $Mask) -ne $Network) { Stop-Input 'start_ip' 'start_ip is not in the subnet' }
        if ((Get-Network $End $Mask) -ne $Network) { Stop-Input 'end_ip' 'end_ip is not in the subnet' }
        if ((Get-Order $End) -lt (Get-Order $Start)) { Stop-Input 'end_ip' 'end_ip is below start_ip' }
    }

    # The body. ConvertFrom-Json turns texts that look like a time into one, in
    # the zone and culture of the server: so each text gets a mark in front, keys
    # too, and Get-Text takes it off.
    function Read-Json {
        param([string] $Text)
        $marked = [regex]::Replace($Text, '"((?:[^"\\]|\\.)*)"', '"_$1"')
        $whole = $null
        try { $whole = ConvertFrom-Json -InputObject ('{"body":' + $marked + '}') -ErrorAction Stop } catch { $whole = $null }
        if ($null -eq $whole -or @($whole.PSObject.Properties).Count -ne 1) { Stop-Input 'body' 'the body is not JSON' }
        return , $whole.body
    }

    function Test-Key {
        param($Fields, [string] $Name)
        return $null -ne $Fields.PSObject.Properties["_$Name"]
    }

    # A text exactly as it was sent; '' where the key was not. A number, a list or
    # null where a text belongs is refused.
    function Get-Text {
        param($Fields, [string] $Name)
        if (-not (Test-Key $Fields $Name)) { return '' }
        $value = $Fields.PSObject.Properties["_$Name"].Value
        if ($value -isnot [string] -or -not $value.StartsWith('_', [System.StringComparison]::Ordinal)) {
            Stop-Input $Name "$Name is not a text"
        }
        return $value.Substring(1)
    }

    # A list of texts exactly as they were sent, at least one and none empty.
    function Get-TextList {
        param($Fields, [string] $Name)
        $list = $null
        if (Test-Key $Fields $Name) { $list = $Fields.PSObject.Properties["_$Name"].Value }
        if ($list -isnot [array] -or $list.Count -eq 0) { Stop-Input $Name "$Name is not a list of texts" }
        foreach ($value in $list) {
            if ($value -isnot [string] -or $value.Length -lt 2 -or -not $value.StartsWith('_', [System.StringComparison]::Ordinal)) {
                Stop-Input $Name "$Name is not a list of texts"
            }
            $value.Substring(1)
        }
    }

    # Checks the keys that are read, before anything is done.
    function Assert-Fields {
        param($Fields, [string[]] $Mandatory)
        if ($Fields -isnot [System.Management.Automation.PSCustomObject]) { Stop-Input 'body' 'the body is not a JSON object' }
        foreach ($name in $Mandatory) {
            if (-not (Get-Text $Fields $name)) { Stop-Input $name "$name is required" }
        }
        foreach ($name in 'scope_id', 'ip_address', 'start_ip', 'end_ip', 'subnet_mask', 'router') {
            $address = Get-Text $Fields $name
            if ($address) { Assert-IPv4 $name $address }
        }
        foreach ($name in 'name', 'description') { [void] (Get-Text $Fields $name) }
        [void] (Get-Choice $Fields 'state' @('Active', 'InActive'))
        [void] (Get-Choice $Fields 'type' @('Dhcp', 'Bootp', 'Both'))
    }

    # One of some words, as Windows spells it; '' where none was sent.
    function Get-Choice {
        param($Fields, [string] $Name, [string[]] $Choices)
        $text = Get-Text $Fields $Name
        if (-not $text) { return '' }
        foreach ($choice in $Choices) { if ($choice -eq $text) { return $choice } }
        Stop-Input $Name "$Name is not one of $($Choices -join ', ')"
    }

    function Read-Input {
        param([string] $Text, [string[]] $Mandatory)
        $fields = Read-Json $Text
        Assert-Fields $fields $Mandatory
        return $fields
    }

    # Hex pairs with one kind of separator between them or none, 1 to 255 bytes,
    # as Windows writes them. Anything else could mean another client.
    function ConvertTo-ClientId {
        param([string] $Text)
        $pairs = [regex]::Matches($Text, '[0-9A-Fa-f]{2}')
        $kinds = @([regex]::Matches($Text, '[-:.]') | ForEach-Object { $_.Value } | Select-Object -Unique)
        if ($Text -notmatch '\A[0-9A-Fa-f]{2}(?:[-:.]?[0-9A-Fa-f]{2})*\z' -or $kinds.Count -gt 1 -or $pairs.Count -gt 255) {
            Stop-Input 'client_id' 'client_id is not 1 to 255 hex pairs with one kind of separator or none'
        }
        return (@($pairs | ForEach-Object { $_.Value }) -join '-').ToLowerInvariant()
    }

    # 4294967295 seconds are an unlimited lease.
    function Get-LeaseSpan {
        param($Fields)
        $seconds = $Fields.PSObject.Properties['_lease_duration_seconds'].Value
        if (($seconds -isnot [int] -and $seconds -isnot [long]) -or $seconds -lt 1 -or $seconds -gt 4294967295) {
            Stop-Input 'lease_duration_seconds' 'lease_duration_seconds is not a whole number from 1 to 4294967295'
        }
        return [TimeSpan]::FromSeconds($seconds)
    }
    #endregion

    # ---- what Windows has ----

    # What an entry must have. Half an entry is an error: null or 0 in its place
    # would be taken for a fact.
    function Get-Needed {
        param($Entry, [string] $Name, [string] $What)
        if (-not [string] $Entry.$Name) { Stop-Request 500 'incomplete' $Name "$What has no $Name" }
        return $Entry.$Name
    }

    function Get-Address {
        param($Entry, [string] $Name, [string] $What)
        $text = [string] (Get-Needed $Entry $Name $What)
        if (-not (Test-IPv4 $text)) { Stop-Request 500 'incomplete' $Name "$What has a $Name that is no IPv4 address" }
        return $text
    }

    function ConvertTo-Text {
        param($Value)
        if ($null -eq $Value) { return '' }
        return [string] $Value
    }

    # Whole seconds; 0 where the duration is unlimited.
    function ConvertTo-Seconds {
        param($Span)
        if ($Span -isnot [TimeSpan]) { return 0 }
        $seconds = [math]::Floor($Span.TotalSeconds)
        if ($seconds -ge [uint32]::MaxValue -or $seconds -lt 0) { return 0 }
        return [int64] $seconds
    }

    # One scope, asked for by itself. Only this number of Windows says that there
    # is none; any other trouble is a 500.
    function Get-OneScope {
        param([string] $Id, [int] $Missing = 404)
        Assert-IPv4 'scope_id' $Id
        $found = @()
        try { $found = @(Get-DhcpServerv4Scope -ScopeId $Id -ErrorAction Stop | Where-Object { $_ }) }
        catch {
            if ((Get-ErrorNumber $_) -eq 'DHCP 20005') { Stop-Request $Missing 'DHCP 20005' 'scope_id' "scope $Id not found" }
            throw
        }
        if ($found.Count -ne 1) { Stop-Request 500 'incomplete' 'scope_id' "Windows gave $($found.Count) scopes for $Id" }
        return $found[0]
    }

    # The scopes of a query: one, or all.
    function Get-WantedScope {
        param([string] $Id)
        if ($Id) { return Get-OneScope $Id 500 }
        return Get-DhcpServerv4Scope -ErrorAction Stop | Where-Object { $_ }
    }

    function Get-ScopeLease {
        param([string] $Id)
        return Get-DhcpServerv4Lease -ScopeId $Id -ErrorAction Stop | Where-Object { $_ }
    }

    function Get-ScopeReservation {
        param([string] $Id)
        return Get-DhcpServerv4Reservation -ScopeId $Id -ErrorAction Stop | Where-Object { $_ }
    }

    function Get-ScopeExclusion {
        param([string] $Id)
        return Get-DhcpServerv4ExclusionRange -ScopeId $Id -ErrorAction Stop | Where-Object { $_ }
    }

    # The values of a scope, with those of vendor classes, user classes and
    # policies.
    function Get-ScopeOption {
        param([string] $Id)
        return Get-DhcpServerv4OptionValue -ScopeId $Id -All -ErrorAction Stop | Where-Object { $_ }
    }

    # The routers every client of a scope gets. All values of the scope rather
    # than option 3 alone: asking for one that is not set is an error that looks
    # like any other.
    function Get-Router {
        param([string] $Id)
        $options = @(Get-DhcpServerv4OptionValue -ScopeId $Id -ErrorAction Stop | Where-Object { $_.OptionId -eq 3 })
        foreach ($option in $options) {
            if (-not $option.VendorClass -and -not $option.UserClass -and -not $option.PolicyName) {
                return @($option.Value | Where-Object { $_ } | ForEach-Object { [string] $_ })
            }
        }
    }

    # Windows Server 2019 is said to ignore -ErrorAction Stop here, so what went
    # wrong is looked at as well.
    function Get-Relationship {
        $problems = $null
        $found = @(Get-DhcpServerv4Failover -ErrorAction Stop -ErrorVariable problems | Where-Object { $_ })
        if ($problems.Count -gt 0) { throw $problems[0] }
        return $found
    }

    function ConvertTo-Scope {
        param($Scope)
        $id = Get-Address $Scope 'ScopeId' 'a scope'
        if ($Scope.LeaseDuration -isnot [TimeSpan]) { Stop-Request 500 'incomplete' 'LeaseDuration' "scope $id has no LeaseDuration" }
        return [ordered]@{
            scope_id               = $id
            name                   = ConvertTo-Text $Scope.Name
            start_ip               = Get-Address $Scope 'StartRange' "scope $id"
            end_ip                 = Get-Address $Scope 'EndRange' "scope $id"
            subnet_mask            = Get-Address $Scope 'SubnetMask' "scope $id"
            description            = ConvertTo-Text $Scope.Description
            state                  = [string] (Get-Needed $Scope 'State' "scope $id")
            lease_duration_seconds = ConvertTo-Seconds $Scope.LeaseDuration
        }
    }

    function ConvertTo-ListedScope {
        param($Scope, $Relationships, [bool] $WithRouter)
        $out = ConvertTo-Scope $Scope
        if ($WithRouter) {
            $out['router'] = $null
            $routers = @(Get-Router $out['scope_id'])
            if ($routers.Count -gt 0) { $out['router'] = $routers[0] }
        }
        $out['failover_name'] = $null
        foreach ($relationship in $Relationships) {
            if (@($relationship.ScopeId | ForEach-Object { [string] $_ }) -contains $out['scope_id']) {
                $out['failover_name'] = [string] (Get-Needed $relationship 'Name' 'a relationship')
            }
        }
        return $out
    }

    function ConvertTo-Lease {
        param($Lease)
        $address = Get-Address $Lease 'IPAddress' "a lease of scope $($Lease.ScopeId)"
        $expiry = $null
        if ($Lease.LeaseExpiryTime) {
            $expiry = $Lease.LeaseExpiryTime.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [cultureinfo]::InvariantCulture)
        }
        return [ordered]@{
            ip_address    = $address
            client_id     = ConvertTo-Text $Lease.ClientId
            hostname      = ConvertTo-Text $Lease.HostName
            scope_id      = Get-Address $Lease 'ScopeId' "lease $address"
            lease_expiry  = $expiry
            address_state = [string] (Get-Needed $Lease 'AddressState' "lease $address")
        }
    }

    function ConvertTo-Reservation {
        param($Reservation)
        $address = Get-Address $Reservation 'IPAddress' "a reservation of scope $($Reservation.ScopeId)"
        return [ordered]@{
            ip_address  = $address
            client_id   = [string] (Get-Needed $Reservation 'ClientId' "reservation $address")
            name        = ConvertTo-Text $Reservation.Name
            description = ConvertTo-Text $Reservation.Description
            type        = ConvertTo-Text $Reservation.Type
            scope_id    = Get-Address $Reservation 'ScopeId' "reservation $address"
        }
    }

    function ConvertTo-Exclusion {
        param($Exclusion)
        $scope = Get-Address $Exclusion 'ScopeId' 'an exclusion'
        return [ordered]@{
            scope_id = $scope
            start_ip = Get-Address $Exclusion 'StartRange' "an exclusion of scope $scope"
            end_ip   = Get-Address $Exclusion 'EndRange' "an exclusion of scope $scope"
        }
    }

    function ConvertTo-Option {
        param($Option)
        return [ordered]@{
            code         = [int] (Get-Needed $Option 'OptionId' 'an option')
            name         = ConvertTo-Text $Option.Name
            value        = @($Option.Value | Where-Object { $null -ne $_ } | ForEach-Object { [string] $_ })
            type         = ConvertTo-Text $Option.Type
            vendor_class = ConvertTo-Text $Option.VendorClass
            user_class   = ConvertTo-Text $Option.UserClass
            policy       = ConvertTo-Text $Option.PolicyName
        }
    }

    # The answering server is always the primary one here, in both roles.
    function ConvertTo-Failover {
        param($Relationship, [string] $Self)
        $name = [string] (Get-Needed $Relationship 'Name' 'a relationship')
        $switchover = $null
        if ($Relationship.AutoStateTransition) { $switchover = ConvertTo-Seconds $Relationship.StateSwitchInterval }
        return [ordered]@{
            name                      = $name
            primary_server            = $Self
            secondary_server          = [string] (Get-Needed $Relationship 'PartnerServer' "relationship $name")
            mode                      = ConvertTo-Text $Relationship.Mode
            scope_ids                 = @($Relationship.ScopeId | Where-Object { $_ } | ForEach-Object { [string] $_ })
            max_client_lead_time      = ConvertTo-Seconds $Relationship.MaxClientLeadTime
            max_response_delay        = 0
            state_switchover_interval = $switchover
            enable_auth               = [bool] $Relationship.EnableAuth
        }
    }

    function Get-SelfName {
        try { return [System.Net.Dns]::GetHostEntry('').HostName } catch { return [Environment]::MachineName }
    }

    #region writing
    # ---- changes of scopes ----

    # Does the parts of a change one after the other, each with itself as argument. If one fails, those before it
    # are taken back, so that the change is whole or not at all.
    function Invoke-Whole {
        param($Parts)
        $done = New-Object System.Collections.ArrayList
        foreach ($part in $Parts) {
            try { [void] (& $part.Act $part) }
            catch {
                $cause = $_
                $left = @()
                for ($back = $done.Count - 1; $back -ge 0; $back--) {
                    try { [void] (& $done[$back].Undo $done[$back]) } catch { $left += $done[$back].Name }
                }
                if ($left.Count -gt 0) {
                    Stop-Request 500 'half_done' ($left -join ', ') "$($cause.Exception.Message) What was changed before could not be taken back: $($left -join ', ')"
                }
                throw $cause
            }
            [void] $done.Add($part)
        }
    }

    # Windows takes a new range only if it holds the old one or lies in it, so any
    # other is reached by way of both together.
    function Set-Range {
        param([string] $Id, [string] $FromStart, [string] $FromEnd, [string] $ToStart, [string] $ToEnd)
        $low = $FromStart
        $high = $FromEnd
        if ((Get-Order $ToStart) -lt (Get-Order $low)) { $low = $ToStart }
        if ((Get-Order $ToEnd) -gt (Get-Order $high)) { $high = $ToEnd }
        $holds = $low -eq $ToStart -and $high -eq $ToEnd
        $within = $low -eq $FromStart -and $high -eq $FromEnd
        if ($holds -or $within) {
            Set-DhcpServerv4Scope -ScopeId $Id -StartRange $ToStart -EndRange $ToEnd -ErrorAction Stop -WhatIf:$false -Confirm:$false
            return
        }
        Set-DhcpServerv4Scope -ScopeId $Id -StartRange $low -EndRange $high -ErrorAction Stop -WhatIf:$false -Confirm:$false
        try { Set-DhcpServerv4Scope -ScopeId $Id -StartRange $ToStart -EndRange $ToEnd -ErrorAction Stop -WhatIf:$false -Confirm:$false }
        catch {
            $cause = $_
            try { Set-DhcpServerv4Scope -ScopeId $Id -StartRange $FromStart -EndRange $FromEnd -ErrorAction Stop -WhatIf:$false -Confirm:$false }
            catch { Stop-Request 500 'half_done' 'range' "$($cause.Exception.Message) The range is left at $low to $high" }
            throw $cause
        }
    }

    function Set-State {
        param([string] $Id, [string] $State)
        Set-DhcpServerv4Scope -ScopeId $Id -State $State -ErrorAction Stop -WhatIf:$false -Confirm:$false
    }

    # Sets the routers of a scope, or removes the option.
    function Set-Router {
        param([string] $Id, [string[]] $Routers)
        if ($Routers.Count -gt 0) {
            Set-DhcpServerv4OptionValue -ScopeId $Id -OptionId 3 -Value $Routers -Force -ErrorAction Stop -WhatIf:$false -Confirm:$false
            return
        }
        if (@(Get-Router $Id).Count -gt 0) {
            Remove-DhcpServerv4OptionValue -ScopeId $Id -OptionId 3 -ErrorAction Stop -WhatIf:$false -Confirm:$false
        }
    }

    # ---- changes of options ----

    # A value of a definition that comes back as it is sent, or as the same number.
    function Test-OptionValue {
        param([string] $Type, [string] $Text)
        if ($Type -eq 'IPv4Address') { return Test-IPv4 $Text }
        if ($Type -eq 'String') { return $Text -match '\A[ -~]{1,255}\z' }
        $most = @{ Byte = 255; Word = 65535; DWord = 4294967295 }[$Type]
        return $Text -match '\A[0-9]{1,10}\z' -and [int64] $Text -le $most
    }

    # The options that a list asks for, each checked before anything is done. Router
    # and lease time belong to the scope; types whose values may come back otherwise
    # are not set.
    function Read-OptionList {
        param($List)
        if ($List -isnot [array] -or $List.Count -eq 0) { Stop-Input 'options' 'the options are not a list with something in it' }
        $seen = @()
        foreach ($item in $List) {
            if ($item -isnot [System.Management.Automation.PSCustomObject]) { Stop-Input 'options' 'an option is not a JSON object' }
            $code = $null
            if (Test-Key $item 'code') { $code = $item.PSObject.Properties['_code'].Value }
            if (($code -isnot [int] -and $code -isnot [long]) -or $code -lt 1 -or $code -gt 254 -or $code -eq 3 -or $code -eq 51 -or $seen -contains $code) {
                Stop-Input 'code' 'code is not that of an option to set, or is there twice'
            }
            $seen += $code
            $values = @(Get-TextList $item 'value')
            $definition = Get-DhcpServerv4OptionDefinition -OptionId $code -ErrorAction Stop
            $type = [string] $definition.Type
            if ($type -notin 'Byte', 'Word', 'DWord', 'IPv4Address', 'String') { Stop-Input 'code' "option $code is of type $type, which is not set here" }
            if ($values.Count -gt 1 -and -not $definition.MultiValued) { Stop-Input 'value' "option $code takes one value" }
            foreach ($value in $values) {
                if (-not (Test-OptionValue $type $value)) { Stop-Input 'value' "option ${code}: value is not of type $type" }
            }
            @{ Code = [int] $code; Type = $type; To = $values }
        }
    }

    # The values of an option that every client of a scope gets. Where it has values
    # for a class or a policy too, which of them is meant is not for a request to say.
    function Get-OwnValue {
        param([string] $Id, [int] $Code)
        $all = @(Get-ScopeOption $Id | Where-Object { $_.OptionId -eq $Code -and -not $_.VendorClass })
        if (@($all | Where-Object { $_.UserClass -or $_.PolicyName }).Count -gt 0) {
            Stop-Request 500 'classes' 'code' "option $Code has values for a user class or a policy"
        }
        return @($all | ForEach-Object { $_.Value } | Where-Object { $null -ne $_ } | ForEach-Object { [string] $_ })
    }

    function Set-OwnValue {
        param([string] $Id, [int] $Code, [string[]] $Values)
        if ($Values.Count -gt 0) {
            Set-DhcpServerv4OptionValue -ScopeId $Id -OptionId $Code -Value $Values -Force -ErrorAction Stop -WhatIf:$false -Confirm:$false
            return
        }
        Remove-DhcpServerv4OptionValue -ScopeId $Id -OptionId $Code -ErrorAction Stop -WhatIf:$false -Confirm:$false
    }

    # Windows shows some numbers in hexadecimal.
    function Test-SameValue {
        param([string] $Type, [string[]] $Sent, [string[]] $Came)
        if ($Sent.Count -ne $Came.Count) { return $false }
        for ($i = 0; $i -lt $Sent.Count; $i++) {
            $is = $Came[$i]
            $asked = $Sent[$i]
            if ($Type -in 'Byte', 'Word', 'DWord') {
                $asked = [string] [int64] $asked
                if ($is -match '\A0x[0-9A-Fa-f]{1,8}\z') { $is = [string] [Convert]::ToInt64($is.Substring(2), 16) }
            }
            if ($is -cne $asked) { return $false }
        }
        return $true
    }

    # Sets options of a scope, all of them or none, and reads them back.
    function Set-OptionList {
        param([string] $Id, $Wanted)
        $plan = @()
        foreach ($want in $Wanted) {
            $plan += @{
                Name = "option $($want.Code)"; Scope = $Id; Code = $want.Code; To = $want.To; From = @(Get-OwnValue $Id $want.Code)
                Act  = { param($Part) Set-OwnValue $Part.Scope $Part.Code $Part.To }
                Undo = { param($Part) Set-OwnValue $Part.Scope $Part.Code $Part.From }
            }
        }
        $plan += @{
            Name = 'reading back'; Scope = $Id; All = @($Wanted)
            Act  = {
                param($Part)
                foreach ($want in $Part.All) {
                    if (-not (Test-SameValue $want.Type $want.To @(Get-OwnValue $Part.Scope $want.Code))) {
                        Stop-Request 500 'half_done' 'value' "Windows keeps another value of option $($want.Code) than was sent"
                    }
                }
            }
            Undo = { param($Part) }
        }
        Invoke-Whole $plan
    }

    # What Set-DhcpServerv4Scope is given besides the range, and what takes it back.
    function Get-ScopeText {
        param($Fields, $Was, $Old)
        $to = @{}
        $from = @{}
        if (Get-Text $Fields 'name') { $to.Name = Get-Text $Fields 'name'; $from.Name = $Was.name }
        if (Test-Key $Fields 'description') { $to.Description = Get-Text $Fields 'description'; $from.Description = $Was.description }
        if (Test-Key $Fields 'lease_duration_seconds') { $to.LeaseDuration = Get-LeaseSpan $Fields; $from.LeaseDuration = $Old.LeaseDuration }
        return @{ To = $to; From = $from }
    }

    # Changes a scope: the range by itself and first, since Windows applies the rest
    # of a call whose range it refuses. It takes a range for an active scope only,
    # so an activation goes before that, and last otherwise.
    function Edit-Scope {
        param([string] $Id, $Old, $Fields)
        $was = ConvertTo-Scope $Old
        $start = Get-Text $Fields 'start_ip'
        $end = Get-Text $Fields 'end_ip'
        if (-not $start) { $start = $was.start_ip }
        if (-not $end) { $end = $was.end_ip }
        Assert-Range $Id $was.subnet_mask $start $end
        $moves = $start -ne $was.start_ip -or $end -ne $was.end_ip
        $state = Get-Choice $Fields 'state' @('Active', 'InActive')
        $turns = $state -and $state -ne $was.state
        $texts = Get-ScopeText $Fields $was $Old
        $textsTo = $texts.To
        $textsFrom = $texts.From
        $routers = @(Get-Text $Fields 'router' | Where-Object { $_ })
        $hadRouters = @()
        if (Test-Key $Fields 'router') { $hadRouters = @(Get-Router $Id) }

        $turn = @{ Name = 'state'; Act = { Set-State $Id $state }; Undo = { Set-State $Id $was.state } }
        $move = @{ Name = 'range'; Act = { Set-Range $Id $was.start_ip $was.end_ip $start $end }; Undo = { Set-Range $Id $start $end $was.start_ip $was.end_ip } }
        $write = @{
            Name = 'name, description and lease time'
            Act  = { Set-DhcpServerv4Scope -ScopeId $Id @textsTo -ErrorAction Stop -WhatIf:$false -Confirm:$false }
            Undo = { Set-DhcpServerv4Scope -ScopeId $Id @textsFrom -ErrorAction Stop -WhatIf:$false -Confirm:$false }
        }
        $route = @{ Name = 'router'; Act = { Set-Router $Id $routers }; Undo = { Set-Router $Id $hadRouters } }
        $early = $turns -and $moves -and $state -eq 'Active'
        $plan = @()
        if ($early) { $plan += $turn }
        if ($moves) { $plan += $move }
        if ($textsTo.Count -gt 0) { $plan += $write }
        if (Test-Key $Fields 'router') { $plan += $route }
        if ($turns -and -not $early) { $plan += $turn }
        Invoke-Whole $plan
    }

    # What a scope that was just made lacks; '' where it is as it was asked for.
    function Get-Difference {
        param($Fields, $Made)
        foreach ($name in 'start_ip', 'end_ip', 'subnet_mask') {
            if ($Made.$name -ne (Get-Text $Fields $name)) { return $name }
        }
        if (Test-Key $Fields 'lease_duration_seconds') {
            if ($Made.lease_duration_seconds -ne (ConvertTo-Seconds (Get-LeaseSpan $Fields))) { return 'lease_duration_seconds' }
        }
        $router = Get-Text $Fields 'router'
        if ($router -and @(Get-Router $Made.scope_id)[0] -ne $router) { return 'router' }
        return ''
    }

    # Makes a scope. It hands nothing out before it is whole and was read back: made
    # inactive, completed, looked at, then activated, or removed again.
    function Add-Scope {
        param($Fields)
        $id = Get-Text $Fields 'scope_id'
        $new = @{ Name = Get-Text $Fields 'name' }
        if (-not $new.Name) { $new.Name = $id }
        if (Get-Text $Fields 'description') { $new.Description = Get-Text $Fields 'description' }
        if (Test-Key $Fields 'lease_duration_seconds') { $new.LeaseDuration = Get-LeaseSpan $Fields }
        $state = Get-Choice $Fields 'state' @('Active', 'InActive')
        if (-not $state) { $state = 'Active' }
        $router = Get-Text $Fields 'router'
        $options = @()
        if (Test-Key $Fields 'options') { $options = @(Read-OptionList $Fields.PSObject.Properties['_options'].Value) }
        [void] (Add-DhcpServerv4Scope -StartRange (Get-Text $Fields 'start_ip') -EndRange (Get-Text $Fields 'end_ip') -SubnetMask (Get-Text $Fields 'subnet_mask') -State InActive @new -ErrorAction Stop -WhatIf:$false -Confirm:$false)
        try {
            if ($router) { Set-Router $id @($router) }
            if ($options.Count -gt 0) { Set-OptionList $id $options }
            $lacks = Get-Difference $Fields (ConvertTo-Scope (Get-OneScope $id 500))
            if ($lacks) { Stop-Request 500 'half_done' $lacks "the new scope has another $lacks than was asked for" }
            if ($state -eq 'Active') { Set-State $id 'Active' }
            $made = ConvertTo-Scope (Get-OneScope $id 500)
            if ($made.state -ne $state) { Stop-Request 500 'half_done' 'state' "the new scope is $($made.state)" }
            return $made
        }
        catch {
            $cause = $_
            try { Remove-DhcpServerv4Scope -ScopeId $id -ErrorAction Stop -WhatIf:$false -Confirm:$false }
            catch { Stop-Request 500 'half_done' 'scope_id' "$($cause.Exception.Message) The new scope $id could not be removed again: $($_.Exception.Message)" }
            throw $cause
        }
    }

    # ---- changes of reservations ----

    function Add-Reservation {
        param([string] $Scope, [string] $Address, [string] $Client, [hashtable] $Texts)
        $made = Add-DhcpServerv4Reservation -ScopeId $Scope -IPAddress $Address -ClientId $Client @Texts -PassThru -ErrorAction Stop -WhatIf:$false -Confirm:$false
        $out = ConvertTo-Reservation $made
        if ($out.ip_address -ne $Address -or $out.client_id -ne $Client) {
            Stop-Request 500 'half_done' 'client_id' "Windows made a reservation of $($out.ip_address) for $($out.client_id)"
        }
        return $out
    }

    # The reservation of an address in a scope; nothing where there is none.
    function Get-AddressReservation {
        param([string] $Scope, [string] $Address)
        return Get-ScopeReservation $Scope | Where-Object { [string] $_.IPAddress -eq $Address }
    }

    # The reservation of a client, in one scope or in all. One client may have one
    # in each scope: then it is not known which is meant.
    function Get-ClientReservation {
        param([string] $Client, [string] $Scope)
        $wanted = ConvertTo-ClientId $Client
        $scopes = @(Get-WantedScope $Scope)
        $found = @($scopes | ForEach-Object { Get-ScopeReservation ([string] $_.ScopeId) } | Where-Object { ([string] $_.ClientId).ToLowerInvariant() -eq $wanted })
        if ($found.Count -eq 0) { Stop-Request 404 'not_found' 'client_id' 'reservation not found' }
        if ($found.Count -gt 1) { Stop-Request 500 'ambiguous' 'client_id' "the client has reservations in $($found.Count) scopes" }
        return $found[0]
    }

    function Get-ReservationText {
        param($Fields, [bool] $Blank)
        $texts = @{}
        foreach ($name in 'name', 'description') {
            $text = Get-Text $Fields $name
            if ($text -or ($Blank -and $name -eq 'description' -and (Test-Key $Fields $name))) { $texts[$name] = $text }
        }
        $type = Get-Choice $Fields 'type' @('Dhcp', 'Bootp', 'Both')
        if ($type) { $texts.Type = $type }
        return $texts
    }

    # Changes a reservation; another client id means to make it anew, and the old
    # one comes back if that fails.
    function Edit-Reservation {
        param($Old, $Fields)
        $was = ConvertTo-Reservation $Old
        $texts = Get-ReservationText $Fields $true
        $client = $was.client_id
        if (Get-Text $Fields 'client_id') { $client = ConvertTo-ClientId (Get-Text $Fields 'client_id') }
        if ($client -ne $was.client_id) {
            $before = @{ Type = $was.type }
            if ($was.name) { $before.Name = $was.name }
            if ($was.description) { $before.Description = $was.description }
            $after = $before.Clone()
            foreach ($key in $texts.Keys) { $after[$key] = $texts[$key] }
            Remove-DhcpServerv4Reservation -IPAddress $was.ip_address -ErrorAction Stop -WhatIf:$false -Confirm:$false
            try { return Add-Reservation $was.scope_id $was.ip_address $client $after }
            catch {
                $cause = $_
                try { [void] (Add-Reservation $was.scope_id $was.ip_address $was.client_id $before) }
                catch { Stop-Request 500 'half_done' 'client_id' "$($cause.Exception.Message) The reservation for $($was.client_id) is deleted and could not be made again: $($_.Exception.Message)" }
                throw $cause
            }
        }
        if ($texts.Count -gt 0) { Set-DhcpServerv4Reservation -IPAddress $was.ip_address @texts -ErrorAction Stop -WhatIf:$false -Confirm:$false }
        return ConvertTo-Reservation (Get-AddressReservation $was.scope_id $was.ip_address)
    }

    # Does something for each entry of a list, and gives a result for each: Windows
    # has no way to do all or none, and one that is refused stops no other.
    function Send-Results {
        param($List, [string[]] $Mandatory, [scriptblock] $Each)
        if ($List -isnot [array]) { Stop-Input 'body' 'the body is not a list' }
        $results = New-Object System.Collections.ArrayList
        foreach ($item in $List) {
            $result = [ordered]@{ scope_id = ''; ip_address = ''; status = 'ok' }
            try {
                Assert-Fields $item $Mandatory
                $result.scope_id = Get-Text $item 'scope_id'
                $result.ip_address = Get-Text $item 'ip_address'
                $reservation = & $Each $item
                if ($reservation) { $result.reservation = $reservation }
            }
            catch {
                $result.status = 'error'
                if ($_.Exception.Data['id'] -eq 'not_found') { $result.status = 'not_found' }
                foreach ($entry in (ConvertTo-Problem $_).GetEnumerator()) { $result[$entry.Key] = $entry.Value }
            }
            [void] $results.Add($result)
        }
        Send-Json 200 ([ordered]@{ results = $results.ToArray() })
    }

    # The reservation an entry of a list means.
    function Get-ItemReservation {
        param($Item)
        $address = Get-Text $Item 'ip_address'
        $scope = Get-Text $Item 'scope_id'
        $found = @(Get-AddressReservation $scope $address)
        if ($found.Count -eq 0) { Stop-Request 404 'not_found' 'ip_address' "no reservation of $address in scope $scope" }
        return $found[0]
    }
    #endregion
}

# Adds one endpoint. Access is Read (both roles) or Write (DHCPWriter only); Names
# are those of its path and its query, and no other name becomes a variable.
function Add-DhcpEndpoint {
    param([string] $Method, [string] $Path, [string] $Access, [string[]] $Names, [scriptblock] $Script)
    if ($ReadOnly -and $Access -ne 'Read') { return }
    $roles = @('DHCPWriter')
    if ($Access -eq 'Read') { $roles = @('DHCPReader', 'DHCPWriter') }
    $rights = 'write'
    if ($ReadOnly) { $rights = 'read' }
    $declared = @()
    foreach ($name in $Names) { $declared += "[string] `$$name" }
    $text = 'param(' + ($declared -join ', ') + ")`n" + $Common.ToString() +
        "`n`$ScriptRights = '$rights'`ntry {`nImport-Dhcp`n" + $Script.ToString() + "`n} catch { Send-Problem `$_ }`n"
    New-PSUEndpoint -Url "/api/dhcp/$Path" -Method $Method -Authentication -Role $roles -Endpoint ([scriptblock]::Create($text))
}

# Says whose script this is, which computer it runs on, and what it may do there:
# an account that Windows denies everything has no rights. calls names what not each
# version of this script can.
Add-DhcpEndpoint GET 'health' Read @() {
    $out = [ordered]@{ status = 'ok'; script = $ScriptName; version = $ScriptVersion; computer = [Environment]::MachineName; rights = $ScriptRights; calls = @('options') }
    try { [void] @(Get-DhcpServerv4Scope -ErrorAction Stop) }
    catch {
        if ((Get-ErrorNumber $_) -ne 'WIN32 5') { throw }
        $out.status = 'denied'
        $out.rights = 'none'
        foreach ($entry in (ConvertTo-Problem $_).GetEnumerator()) { $out[$entry.Key] = $entry.Value }
    }
    Send-Json 200 $out
}

#region writing
Add-DhcpEndpoint POST 'health' Write @() {
    Send-Json 200 ([ordered]@{ status = 'ok' })
}
#endregion

# include_router=false saves a call for each scope, for callers that read the
# options of all scopes anyway.
Add-DhcpEndpoint GET 'scopes' Read @('active_only', 'include_router') {
    $relationships = @(Get-Relationship)
    $scopes = @(Get-WantedScope '')
    if ($active_only -eq 'true') { $scopes = @($scopes | Where-Object { [string] $_.State -eq 'Active' }) }
    Send-List @($scopes | ForEach-Object { ConvertTo-ListedScope $_ $relationships ($include_router -ne 'false') })
}

Add-DhcpEndpoint GET 'scopes/:scope_id' Read @('scope_id') {
    Send-Json 200 (ConvertTo-Scope (Get-OneScope $scope_id))
}

#region writing
Add-DhcpEndpoint POST 'scopes' Write @() {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip', 'subnet_mask'
    # Windows works the network out itself; it must be the one that is meant.
    Assert-Range (Get-Text $in 'scope_id') (Get-Text $in 'subnet_mask') (Get-Text $in 'start_ip') (Get-Text $in 'end_ip')
    Send-Json 201 (Add-Scope $in)
}

Add-DhcpEndpoint PUT 'scopes/:scope_id' Write @('scope_id') {
    $old = Get-OneScope $scope_id
    $in = Read-Input $Body @()
    Edit-Scope $scope_id $old $in
    Send-Json 200 (ConvertTo-Scope (Get-OneScope $scope_id))
}

# Windows refuses a scope with leases; one of a relationship has to leave it first.
Add-DhcpEndpoint DELETE 'scopes/:scope_id' Write @('scope_id') {
    [void] (Get-OneScope $scope_id)
    foreach ($relationship in @(Get-Relationship)) {
        if (@($relationship.ScopeId | ForEach-Object { [string] $_ }) -contains $scope_id) {
            Stop-Request 500 'in_failover' 'scope_id' "scope $scope_id is part of the relationship $($relationship.Name)"
        }
    }
    Remove-DhcpServerv4Scope -ScopeId $scope_id -ErrorAction Stop -WhatIf:$false -Confirm:$false
    Send-Nothing
}
#endregion

Add-DhcpEndpoint GET 'leases' Read @('scope_id') {
    $scopes = @(Get-WantedScope $scope_id)
    Send-List @($scopes | ForEach-Object { Get-ScopeLease ([string] $_.ScopeId) } |
            Where-Object { [string] $_.AddressState -in 'Active', 'ActiveReservation' -or -not [string] $_.AddressState } | ForEach-Object { ConvertTo-Lease $_ })
}

Add-DhcpEndpoint GET 'reservations' Read @('scope_id') {
    $scopes = @(Get-WantedScope $scope_id)
    Send-List @($scopes | ForEach-Object { Get-ScopeReservation ([string] $_.ScopeId) } | ForEach-Object { ConvertTo-Reservation $_ })
}

#region writing
# One reservation as an object, or many as a list with a result for each.
Add-DhcpEndpoint POST 'reservations' Write @() {
    $in = Read-Json $Body
    $needs = 'scope_id', 'ip_address', 'client_id'
    $make = { param($Item) Add-Reservation (Get-Text $Item 'scope_id') (Get-Text $Item 'ip_address') (ConvertTo-ClientId (Get-Text $Item 'client_id')) (Get-ReservationText $Item $false) }
    if ($in -is [array]) { Send-Results $in $needs $make }
    else {
        Assert-Fields $in $needs
        Send-Json 201 (& $make $in)
    }
}

Add-DhcpEndpoint PUT 'reservations' Write @() {
    Send-Results (Read-Json $Body) @('scope_id', 'ip_address') { param($Item) Edit-Reservation (Get-ItemReservation $Item) $Item }
}

Add-DhcpEndpoint DELETE 'reservations' Write @() {
    Send-Results (Read-Json $Body) @('scope_id', 'ip_address') {
        param($Item)
        $old = Get-ItemReservation $Item
        Remove-DhcpServerv4Reservation -IPAddress (Get-Address $old 'IPAddress' 'a reservation') -ErrorAction Stop -WhatIf:$false -Confirm:$false
    }
}

# Both read the reservations of all scopes, unless the query names the scope.
Add-DhcpEndpoint PUT 'reservations/:client_id' Write @('client_id', 'scope_id') {
    $old = Get-ClientReservation $client_id $scope_id
    $in = Read-Input $Body @()
    if (Test-Key $in 'client_id') { Stop-Input 'client_id' 'client_id cannot be changed here' }
    Send-Json 200 (Edit-Reservation $old $in)
}

Add-DhcpEndpoint DELETE 'reservations/:client_id' Write @('client_id', 'scope_id') {
    $old = Get-ClientReservation $client_id $scope_id
    Remove-DhcpServerv4Reservation -IPAddress (Get-Address $old 'IPAddress' 'a reservation') -ErrorAction Stop -WhatIf:$false -Confirm:$false
    Send-Nothing
}
#endregion

Add-DhcpEndpoint GET 'failover' Read @() {
    $self = Get-SelfName
    Send-List @(Get-Relationship | ForEach-Object { ConvertTo-Failover $_ $self })
}

#region writing
if ($AllowFailover) {
    Add-DhcpEndpoint POST 'failover' Write @() {
        $in = Read-Input $Body 'name', 'secondary_server'
        $partner = Get-Text $in 'secondary_server'
        if ($partner -notmatch '\A[0-9A-Za-z][0-9A-Za-z.-]{0,254}\z') { Stop-Input 'secondary_server' 'secondary_server is not a host name' }
        $scopes = @($in._scope_ids | ForEach-Object { ([string] $_) -replace '\A_', '' })
        if ($scopes.Count -eq 0) { Stop-Input 'scope_ids' 'scope_ids is required' }
        foreach ($scope in $scopes) { Assert-IPv4 'scope_ids' $scope }
        $made = Add-DhcpServerv4Failover -Name (Get-Text $in 'name') -PartnerServer $partner -ScopeId $scopes -Force -PassThru -ErrorAction Stop -WhatIf:$false -Confirm:$false
        Send-Json 201 (ConvertTo-Failover $made (Get-SelfName))
    }
}
#endregion

# The options of all scopes, a list for each scope that was read.
Add-DhcpEndpoint GET 'options' Read @() {
    $all = [ordered]@{}
    foreach ($scope in @(Get-WantedScope '')) {
        $id = Get-Address $scope 'ScopeId' 'a scope'
        $all[$id] = @(Get-ScopeOption $id | ForEach-Object { ConvertTo-Option $_ })
    }
    Send-Json 200 ([ordered]@{ scope_options = $all })
}

Add-DhcpEndpoint GET 'options/server' Read @() {
    Send-List @(Get-DhcpServerv4OptionValue -All -ErrorAction Stop | Where-Object { $_ } | ForEach-Object { ConvertTo-Option $_ })
}

Add-DhcpEndpoint GET 'options/scope/:scope_id' Read @('scope_id') {
    [void] (Get-OneScope $scope_id)
    Send-List @(Get-ScopeOption $scope_id | ForEach-Object { ConvertTo-Option $_ })
}

#region writing
# Sets values that every client of the scope gets: a list of code and value, all of
# it or nothing. Other options stay. The answer has all options of the scope.
Add-DhcpEndpoint PUT 'options/scope/:scope_id' Write @('scope_id') {
    [void] (Get-OneScope $scope_id)
    Set-OptionList $scope_id @(Read-OptionList (Read-Json $Body))
    Send-List @(Get-ScopeOption $scope_id | ForEach-Object { ConvertTo-Option $_ })
}
#endregion

# The exclusions of one scope; without a scope those of all, a list for each scope
# that was read.
Add-DhcpEndpoint GET 'exclusions' Read @('scope_id') {
    if ($scope_id) {
        [void] (Get-OneScope $scope_id)
        Send-List @(Get-ScopeExclusion $scope_id | ForEach-Object { ConvertTo-Exclusion $_ })
    }
    else {
        $all = [ordered]@{}
        foreach ($scope in @(Get-WantedScope '')) {
            $id = Get-Address $scope 'ScopeId' 'a scope'
            $all[$id] = @(Get-ScopeExclusion $id | ForEach-Object { ConvertTo-Exclusion $_ })
        }
        Send-Json 200 $all
    }
}

#region writing
Add-DhcpEndpoint POST 'exclusions' Write @() {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'
    Add-DhcpServerv4ExclusionRange -ScopeId (Get-Text $in 'scope_id') -StartRange (Get-Text $in 'start_ip') -EndRange (Get-Text $in 'end_ip') -ErrorAction Stop -WhatIf:$false -Confirm:$false
    Send-Json 201 ([ordered]@{ scope_id = Get-Text $in 'scope_id'; start_ip = Get-Text $in 'start_ip'; end_ip = Get-Text $in 'end_ip' })
}

# Both ends are asked for: without them Windows removes all exclusions of a scope.
Add-DhcpEndpoint DELETE 'exclusions' Write @() {
    $in = Read-Input $Body 'scope_id', 'start_ip', 'end_ip'
    Remove-DhcpServerv4ExclusionRange -ScopeId (Get-Text $in 'scope_id') -StartRange (Get-Text $in 'start_ip') -EndRange (Get-Text $in 'end_ip') -ErrorAction Stop -WhatIf:$false -Confirm:$false
    Send-Nothing
}
#endregion
