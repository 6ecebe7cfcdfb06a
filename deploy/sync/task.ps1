# Registers the mirror with the Windows Task Scheduler: every hour, as the
# account NETWORK SERVICE, below normal priority. Run it as an administrator.
#
#   .\task.ps1 -Program 'C:\Program Files\netbox-dhcp-sync\netbox-dhcp-sync.exe'
#
# Tokens are files; let only administrators and that account read them:
#   icacls C:\ProgramData\netbox-dhcp-sync /inheritance:r /grant 'Administrators:(OI)(CI)F' 'NETWORK SERVICE:(OI)(CI)M'
#requires -RunAsAdministrator
param(
    [Parameter(Mandatory)] [string] $Program,
    [string] $Settings = "$env:ProgramData\netbox-dhcp-sync\config.yml",
    [string] $Name = 'netbox-dhcp-sync',
    [ValidateRange(5, 1440)] [int] $Minutes = 60
)
$ErrorActionPreference = 'Stop'

$action = New-ScheduledTaskAction -Execute $Program -Argument "sync --quiet --conf `"$Settings`""
$trigger = New-ScheduledTaskTrigger -Once -At (Get-Date).Date -RepetitionInterval (New-TimeSpan -Minutes $Minutes)
$principal = New-ScheduledTaskPrincipal -UserId 'NT AUTHORITY\NETWORK SERVICE' -LogonType ServiceAccount
# The run lock keeps two runs apart too; IgnoreNew saves the attempt.
$options = New-ScheduledTaskSettingsSet -MultipleInstances IgnoreNew -StartWhenAvailable -ExecutionTimeLimit (New-TimeSpan -Hours 1)
Register-ScheduledTask -TaskName $Name -Action $action -Trigger $trigger -Principal $principal -Settings $options -Force |
    Select-Object TaskName, State
