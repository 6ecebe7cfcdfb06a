package windhcp

// OptionDefinition says what an option is. Definitions are known by vendor
// class and code, for vendor classes use the low codes again; those here have
// no vendor class.
type OptionDefinition struct {
	Code int
	Name string // as Windows shows it
	Type string // String, IPAddress, IPAddressList, DWORD, DWORD DWORD, Binary, Encapsulated or IPv6Address
}

// BuiltInOptions are the definitions every library starts with, in order of
// their codes (rule 4). Numbers of one, two and four bytes
// are all DWORD.
func BuiltInOptions() []OptionDefinition {
	return []OptionDefinition{
		{1, "Subnet Mask", "IPAddress"},
		{2, "Time Offset", "DWORD"},
		{3, "Router", "IPAddressList"},
		{4, "Time Server", "IPAddressList"},
		{5, "Name Servers", "IPAddressList"},
		{6, "DNS Servers", "IPAddressList"},
		{7, "Log Servers", "IPAddressList"},
		{8, "Cookie Servers", "IPAddressList"},
		{9, "LPR Servers", "IPAddressList"},
		{10, "Impress Servers", "IPAddressList"},
		{11, "Resource Location Servers", "IPAddressList"},
		{12, "Host Name", "String"},
		{13, "Boot File Size", "DWORD"},
		{14, "Merit Dump File", "String"},
		{15, "DNS Domain Name", "String"},
		{16, "Swap Server", "IPAddress"},
		{17, "Root Path", "String"},
		{18, "Extensions Path", "String"},
		{19, "IP Layer Forwarding", "DWORD"},
		{20, "Nonlocal Source Routing", "DWORD"},
		{21, "Policy Filter Masks", "IPAddressList"},
		{22, "Max DG Reassembly Size", "DWORD"},
		{23, "Default IP Time-to-live", "DWORD"},
		{24, "Path MTU Aging Timeout", "DWORD"},
		{25, "Path MTU Plateau Table", "DWORD"},
		{26, "MTU Option", "DWORD"},
		{27, "All subnets are local", "DWORD"},
		{28, "Broadcast Address", "IPAddress"},
		{29, "Perform Mask Discovery", "DWORD"},
		{30, "Mask Supplier Option", "DWORD"},
		{31, "Perform Router Discovery", "DWORD"},
		{32, "Router Solicitation Address", "IPAddress"},
		{33, "Static Route Option", "IPAddressList"},
		{34, "Trailer Encapsulation", "DWORD"},
		{35, "ARP Cache Timeout", "DWORD"},
		{36, "Ethernet Encapsulation", "DWORD"},
		{37, "TCP Default Time-to-live", "DWORD"},
		{38, "Keepalive Interval", "DWORD"},
		{39, "Keepalive Garbage", "DWORD"},
		{40, "NIS Domain Name", "String"},
		{41, "NIS Servers", "IPAddressList"},
		{42, "NTP Servers", "IPAddressList"},
		{43, "Vendor Specific Info", "Encapsulated"},
		{44, "WINS/NBNS Servers", "IPAddressList"},
		{45, "NetBIOS over TCP/IP NBDD", "IPAddressList"},
		{46, "WINS/NBT Node Type", "DWORD"},
		{47, "NetBIOS Scope ID", "String"},
		{48, "X Window System Font", "IPAddressList"},
		{49, "X Window System Display", "IPAddressList"},
		{51, "Lease", "DWORD"},
		{54, "DHCP Server Identifier", "IPAddress"},
		{58, "Renewal (T1) Time Value", "DWORD"},
		{59, "Rebinding (T2) Time Value", "DWORD"},
		{60, "Vendor Class Identifier", "String"},
		{64, "NIS+ Domain Name", "String"},
		{65, "NIS+ Servers", "IPAddressList"},
		{66, "Boot Server Host Name", "String"},
		{67, "Bootfile Name", "String"},
		{68, "Mobile IP Home Agents", "IPAddressList"},
		{69, "Simple Mail Transport Protocol (SMTP) Servers", "IPAddressList"},
		{70, "Post Office Protocol (POP3) Servers", "IPAddressList"},
		{71, "Network News Transport Protocol (NNTP) Servers", "IPAddressList"},
		{72, "World Wide Web (WWW) Servers", "IPAddressList"},
		{73, "Finger Servers", "IPAddressList"},
		{74, "Internet Relay Chat (IRC) Servers", "IPAddressList"},
		{75, "StreetTalk Servers", "IPAddressList"},
		{76, "StreetTalk Directory Assistance (STDA) Servers", "IPAddressList"},
		{119, "DNS Search List", "String"},
		{121, "Classless Static Routes", "Binary"},
		{249, "Microsoft Classless Static Routes", "Binary"},
		{252, "Web Proxy Auto-Discovery (WPAD)", "String"},
	}
}
