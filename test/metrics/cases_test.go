package metrics

// alarmCase says which alarms fire at a time after the first sample; series have a
// sample each minute, in promtool's notation. up is 1 unless a case says otherwise.
type alarmCase struct {
	name   string
	series map[string]string
	at     string
	fires  []string
}

func alarmCases(program string) []alarmCase {
	if program == "netbox-dhcp-sync" {
		return mirrorCases()
	}
	var all []alarmCase
	for _, c := range append(append(serverCases(), storeCases()...), append(poolCases(), clientCases()...)...) {
		series := make(map[string]string)
		for name, values := range c.series {
			if name != "up" {
				name = "coredhcp_netbox_" + name
			}
			series[name] = values
		}
		c.series = series
		all = append(all, c)
	}
	return all
}

type series = map[string]string

func fires(names ...string) []string { return names }

func serverCases() []alarmCase {
	quiet := series{
		"ready": "1x1500", "netbox_reachable": "1x1500", "snapshot_age_seconds": "15x1500", "rows_lost{table=\"tags\"}": "0x1500", "netbox_clock_skew_seconds": "0x1500",
		"store_failed": "0x1500", "store_free_bytes": "5e9x1500", "store_commit_seconds_bucket{outcome=\"done\",le=\"0.5\"}": "40x1500", "store_commit_seconds_bucket{outcome=\"done\",le=\"+Inf\"}": "40x1500",
		"store_commit_seconds_count{outcome=\"failed\"}": "0x1500", "pool_addresses{prefix=\"10.0.0.0/24\",vrf=\"\",state=\"free\"}": "60x1500",
		"pool_addresses{prefix=\"10.0.0.0/24\",vrf=\"\",state=\"leased\"}": "40x1500", "decisions_total{verdict=\"NAK\",reason=\"taken\",message=\"DHCPREQUEST\"}": "3x1500",
		"unserved_clients{reason=\"pool_empty\"}": "0x1500", "dhcp4_dropped_total{reason=\"kernel_queue\"}": "2x1500", "records_total{outcome=\"refused\"}": "1x1500",
		"unsynced_leases": "0x1500", "snapshot_copies_total{outcome=\"failed\"}": "0x1500", "edit_to_answer_seconds_bucket{le=\"300\"}": "5x1500", "edit_to_answer_seconds_bucket{le=\"+Inf\"}": "5x1500",
	}
	restart := series{
		"up": "1x60 0x1 1x60", "ready": "1x60 _x1 0x3 1x60", "netbox_reachable": "1x60 _x1 0x3 1x60", "snapshot_age_seconds": "20x60 _x1 0x3 15x60",
		"dhcp4_dropped_total{reason=\"kernel_queue\"}": "90x60 _x1 0x63", "store_commit_seconds_count{outcome=\"failed\"}": "4x60 _x1 0x63", "records_total{outcome=\"refused\"}": "7x60 _x1 0x63",
		"pool_addresses{prefix=\"10.0.0.0/24\",vrf=\"\",state=\"free\"}": "60x60 _x4 60x60", "pool_addresses{prefix=\"10.0.0.0/24\",vrf=\"\",state=\"leased\"}": "40x60 _x4 40x60",
		"unsynced_leases": "0x60 _x1 300x5 0x60", "store_failed": "0x60 _x1 0x63",
	}
	return []alarmCase{
		{"a quiet night", quiet, "24h", nil},
		{"a restart, right after", restart, "64m", nil},
		{"a restart, later", restart, "75m", nil},
		{"the server is gone", series{"up": "0x10"}, "5m", fires("DHCPServerGone")},
		{"Prometheus has no target", series{"up": ""}, "5m", fires("DHCPServerGone")},
		{"one scrape fails", series{"up": "1x3 0x1 1x10"}, "5m", nil},
		{"not ready", series{"ready": "0x20"}, "8m", fires("DHCPServerNotReady")},
		{"not ready for three minutes", series{"ready": "0x3 1x20"}, "8m", nil},
		{"NetBox is out of reach", series{"netbox_reachable": "0x20"}, "15m", fires("DHCPNetBoxOutOfReach")},
		{"NetBox restarts", series{"netbox_reachable": "0x6 1x20"}, "15m", nil},
		{"an old snapshot", series{"snapshot_age_seconds": "3000+60x40"}, "20m", fires("DHCPSnapshotOld")},
		{"a snapshot of half an hour", series{"snapshot_age_seconds": "1800x40"}, "20m", nil},
		{"rows vanish", series{"rows_lost{table=\"tags\"}": "0x20", "rows_lost{table=\"prefixes\"}": "3x20"}, "10m", fires("DHCPRowsVanished")},
		{"rows are back after two minutes", series{"rows_lost{table=\"prefixes\"}": "3x2 0x20"}, "10m", nil},
		{"NetBox's clock is behind", series{"netbox_clock_skew_seconds": "-90x20"}, "10m", fires("DHCPClocksDiffer")},
		{"NetBox's clock is half a minute ahead", series{"netbox_clock_skew_seconds": "30x20"}, "10m", nil},
		{"NetBox is not told", series{"unsynced_leases": "500x60"}, "40m", fires("DHCPNetBoxNotTold")},
		{"a burst of leases is told", series{"unsynced_leases": "500x10 0x60"}, "40m", nil},
		{"NetBox refuses a record", series{"records_total{outcome=\"refused\"}": "0x5 1x10"}, "10m", fires("DHCPRecordsRefused")},
		{"NetBox takes records", series{"records_total{outcome=\"done\"}": "0+5x20", "records_total{outcome=\"refused\"}": "0x20"}, "10m", nil},
		{"the copy cannot be written", series{"snapshot_copies_total{outcome=\"failed\"}": "0+1x60"}, "40m", fires("DHCPNoCopyOfNetBox")},
		{"the copy could not be written once", series{"snapshot_copies_total{outcome=\"failed\"}": "0x5 1x60"}, "18m", nil},
		{"edits are slow", series{"edit_to_answer_seconds_bucket{le=\"300\"}": "0x90", "edit_to_answer_seconds_bucket{le=\"600\"}": "0+1x90", "edit_to_answer_seconds_bucket{le=\"+Inf\"}": "0+1x90"}, "40m", fires("DHCPEditsSlow")},
		{"edits are quick", series{"edit_to_answer_seconds_bucket{le=\"30\"}": "0+1x90", "edit_to_answer_seconds_bucket{le=\"300\"}": "0+1x90", "edit_to_answer_seconds_bucket{le=\"+Inf\"}": "0+1x90"}, "40m", nil},
	}
}

func storeCases() []alarmCase {
	const slow, all = "store_commit_seconds_bucket{outcome=\"done\",le=\"0.5\"}", "store_commit_seconds_bucket{outcome=\"done\",le=\"+Inf\"}"
	return []alarmCase{
		{"no store", series{"store_failed": "1x5"}, "3m", fires("DHCPNoStore")},
		{"a store", series{"store_failed": "0x5"}, "3m", nil},
		{"a full disk", series{"store_free_bytes": "5e7x20"}, "10m", fires("DHCPDiskNearlyFull")},
		{"a disk that cannot be asked", series{"store_free_bytes": "-1x20"}, "10m", nil},
		{"a slow disk", series{slow: "0x60", "store_commit_seconds_bucket{outcome=\"done\",le=\"1\"}": "0+60x60", all: "0+60x60"}, "20m", fires("DHCPDiskSlow")},
		{"a quick disk", series{slow: "0+60x60", all: "0+60x60"}, "20m", nil},
		{"the history cannot be written", series{"history_failed": "1x30"}, "20m", fires("DHCPHistoryNotWritten")},
		{"the history could not be written once", series{"history_failed": "1x2 0x30"}, "20m", nil},
		{"a receiver of events is down", series{"events_total{to=\"hook\",outcome=\"dropped\"}": "0x5 3x9"}, "8m", fires("DHCPEventsDropped")},
		{"events are sent", series{"events_total{to=\"hook\",outcome=\"sent\"}": "0+5x20", "events_total{to=\"hook\",outcome=\"dropped\"}": "4x20"}, "18m", nil},
		{"a DNS server is down", series{"dns_queued_records": "12x120"}, "90m", fires("DHCPNamesNotInDNS")},
		{"a DNS server restarts", series{"dns_queued_records": "12x10 0x120"}, "90m", nil},
		{"a write fails", series{"store_commit_seconds_count{outcome=\"failed\"}": "0x5 1x30"}, "8m", fires("DHCPStoreWritesFail")},
		{"a write failed an hour ago", series{"store_commit_seconds_count{outcome=\"failed\"}": "0x5 1x90"}, "65m", nil},
	}
}

// pool are the series of one pool.
func pool(free, leased string, more ...string) series {
	const of = "pool_addresses{prefix=\"10.0.0.0/24\",vrf=\"\",state=\""
	s := series{of + "free\"}": free, of + "leased\"}": leased}
	for i := 0; i < len(more); i += 2 {
		s[of+more[i]+"\"}"] = more[i+1]
	}
	return s
}

func poolCases() []alarmCase {
	return []alarmCase{
		{"a pool is empty", pool("0x20", "50x20"), "10m", fires("DHCPPoolEmpty")},
		{"a pool of one address is leased", pool("0x2000", "1x2000"), "10h", nil},
		{"a pool of one address is declined", pool("0x2000", "0x2000", "quarantined", "1x2000"), "10h", nil},
		{"a pool is empty for two minutes", pool("0x2 9x60", "50x2 41x60"), "10m", nil},
		{"a pool is nearly empty", pool("3x60", "47x60"), "40m", fires("DHCPPoolNearlyEmpty")},
		{"a small pool has three left", pool("3x600", "7x600"), "5h", nil},
		{"a pool is nearly empty for ten minutes", pool("30x10 3x10 30x60", "20x10 47x10 20x60"), "40m", nil},
		{"a pool will be empty", pool("100-0.2x400", "20+0.2x400"), "6h", fires("DHCPPoolWillBeEmpty")},
		{"a pool that will be empty began to fill an hour ago", pool("100x300 100-0.2x60", "20x300 20+0.2x60"), "6h", nil},
		{"an office comes to work", pool("200x360 200-0.7x120 116x600", "50x360 50+0.7x120 134x600"), "9h", nil},
		{"an office is there", pool("200x360 200-0.7x120 116x600", "50x360 50+0.7x120 134x600"), "8h", nil},
		{"a conference comes at once and stays", pool("110x60 20x400", "20x60 110x400"), "5h", nil},
		{"a conference is there", pool("110x60 20x400", "20x60 110x400"), "6h", nil},
		{"a small pool fills", pool("9-0.02x400", "1+0.02x400"), "6h", nil},
		{"leases come and go", pool("60x30 50x30 60x30 50x30 60x30 50x30 60x30 50x30 60x30 50x30 60x30 50x30 60x30", "60x30 70x30 60x30 70x30 60x30 70x30 60x30 70x30 60x30 70x30 60x30 70x30 60x30"), "6h", nil},
		{"seven addresses rest", pool("60x30", "33x30", "quarantined", "7x30"), "15m", fires("DHCPPoolInQuarantine")},
		{"half of a small pool rests", pool("1x30", "2x30", "quarantined", "3x30"), "15m", fires("DHCPPoolInQuarantine")},
		{"two addresses rest", pool("60x30", "38x30", "quarantined", "2x30"), "15m", nil},
	}
}

func clientCases() []alarmCase {
	const nak = "decisions_total{message=\"DHCPREQUEST\",verdict=\"NAK\",reason=\"wrong_network\"}"
	return []alarmCase{
		{"many refusals", series{nak: "0+120x40"}, "25m", fires("DHCPRefusals")},
		{"a laptop moves now and then", series{nak: "0+6x40"}, "25m", nil},
		{"clients are not served", series{"unserved_clients{reason=\"pool_empty\"}": "2x30"}, "15m", fires("DHCPClientsNotServed")},
		{"clients that are meant to get nothing", series{"unserved_clients{reason=\"not_served\"}": "9x30"}, "15m", nil},
		{"packets are lost", series{"dhcp4_dropped_total{reason=\"kernel_queue\"}": "0x5 7x9"}, "7m", fires("DHCPPacketsLost")},
		{"packets that get no answer", series{"dhcp4_dropped_total{reason=\"no_reply\"}": "0+50x20"}, "7m", nil},
		{"a panic", series{"dhcp4_dropped_total{reason=\"panic\"}": "0x5 1x9"}, "7m", fires("DHCPPanics")},
		{"no panic", series{"dhcp4_dropped_total{reason=\"panic\"}": "1x20"}, "17m", nil},
	}
}

func mirrorCases() []alarmCase {
	var all []alarmCase
	for _, c := range []alarmCase{
		{"a quiet night", series{"server_up{server=\"dh1\"}": "1x1500", "notes{level=\"guard\"}": "0x1500", "notes{level=\"skip\"}": "8x1500", "status_violations": "0x1500", "differences": "0x1500",
			"certificate_expiry_timestamp_seconds{server=\"dh1\"}": "9e6x1500"}, "24h", nil},
		{"the mirror is gone", series{"up": "0x10"}, "8m", fires("DHCPMirrorGone")},
		{"no target", series{"up": ""}, "8m", fires("DHCPMirrorGone")},
		{"a restart of the mirror", series{"up": "1x60 0x2 1x60", "last_success_timestamp_seconds": "3600x60 _x2 0x60", "last_run_timestamp_seconds": "3600x60 _x2 0x60",
			"process_start_time_seconds": "1x60 _x2 3700x60"}, "80m", nil},
		{"runs have errors", series{"last_success_timestamp_seconds": "600x300"}, "4h", fires("DHCPMirrorNoGoodRun")},
		{"no run was good since the start", series{"last_success_timestamp_seconds": "0x300", "process_start_time_seconds": "0x300"}, "4h", fires("DHCPMirrorNoGoodRun")},
		{"started an hour ago, without a good run", series{"last_success_timestamp_seconds": "0x300", "process_start_time_seconds": "10800x300"}, "4h", nil},
		{"a run hangs", series{"last_run_timestamp_seconds": "600x300"}, "2h30m", fires("DHCPMirrorOverdue")},
		{"a server does not answer", series{"server_up{server=\"dh1\"}": "0x120", "server_up{server=\"dh2\"}": "1x120"}, "100m", fires("DHCPMirrorServerDown")},
		{"a server does not answer one run", series{"server_up{server=\"dh1\"}": "0x60 1x120"}, "100m", nil},
		{"a server goes to maintenance", series{"server_up{server=\"dh1\"}": "0x60 _x120"}, "100m", nil},
		{"a certificate ends", series{"certificate_expiry_timestamp_seconds{server=\"dh1\"}": "864000x200"}, "2h", fires("DHCPMirrorCertificateEnds")},
		{"a certificate ends in two months", series{"certificate_expiry_timestamp_seconds{server=\"dh1\"}": "5184000x200"}, "2h", nil},
		{"a guard holds back", series{"notes{level=\"guard\"}": "1x20"}, "10m", fires("DHCPMirrorGuard")},
		{"something cannot be read", series{"notes{level=\"failure\"}": "2x120"}, "100m", fires("DHCPMirrorFailures")},
		{"something could not be read once", series{"notes{level=\"failure\"}": "2x60 0x60"}, "100m", nil},
		{"conflicts stay", series{"notes{level=\"conflict\"}": "3x150"}, "130m", fires("DHCPMirrorConflicts")},
		{"a conflict of one run", series{"notes{level=\"conflict\"}": "3x60 0x90"}, "130m", nil},
		{"differences stay", series{"differences": "3x200"}, "3h", fires("DHCPMirrorDifferences")},
		{"a run leaves a difference to the next", series{"differences": "3x60 0x200"}, "3h", nil},
		{"statuses are wrong", series{"status_violations": "4x200"}, "150m", fires("DHCPMirrorStatusViolations")},
		{"a status was wrong for a run", series{"status_violations": "4x60 0x200"}, "150m", nil},
	} {
		given := series{
			"netbox_dhcp_sync_last_success_timestamp_seconds": "30+60x1500", "netbox_dhcp_sync_last_run_timestamp_seconds": "30+60x1500", "process_start_time_seconds": "1x1500",
		}
		for name, values := range c.series {
			if name != "up" && name != "process_start_time_seconds" {
				name = "netbox_dhcp_sync_" + name
			}
			given[name] = values
		}
		c.series = given
		all = append(all, c)
	}
	return all
}
