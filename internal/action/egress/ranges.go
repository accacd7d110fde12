package egress

import "net/netip"

type span struct {
	prefix netip.Prefix
	why    string
}

// special are the ranges that are not the public internet, by the registries of IANA for special-purpose
// addresses. Those net/netip has a method for are asked there.
func special() []span {
	return []span{
		{netip.MustParsePrefix("0.0.0.0/8"), "an address of this host"},
		{netip.MustParsePrefix("100.64.0.0/10"), "an address shared behind a provider's NAT"},
		{netip.MustParsePrefix("192.0.0.0/24"), "an address reserved for protocols"},
		{netip.MustParsePrefix("192.0.2.0/24"), "an address for documentation"},
		{netip.MustParsePrefix("192.88.99.0/24"), "an address of a retired relay"},
		{netip.MustParsePrefix("198.18.0.0/15"), "an address for measuring networks"},
		{netip.MustParsePrefix("198.51.100.0/24"), "an address for documentation"},
		{netip.MustParsePrefix("203.0.113.0/24"), "an address for documentation"},
		{netip.MustParsePrefix("240.0.0.0/4"), "a reserved address"},
		{netip.MustParsePrefix("::/96"), "a reserved address"},
		{netip.MustParsePrefix("64:ff9b:1::/48"), "an address translated within a network"},
		{netip.MustParsePrefix("100::/64"), "an address that discards"},
		{netip.MustParsePrefix("2001::/23"), "an address reserved for protocols"},
		{netip.MustParsePrefix("2001:db8::/32"), "an address for documentation"},
		{netip.MustParsePrefix("3fff::/20"), "an address for documentation"},
		{netip.MustParsePrefix("5f00::/16"), "an address of segment routing"},
		{netip.MustParsePrefix("fec0::/10"), "an address of a site"},
	}
}

var (
	specials  = special()
	nat64     = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour = netip.MustParsePrefix("2002::/16")
)

// notPublic says why an address is not one of the public internet, or nothing if it is. ip is unmapped.
func notPublic(ip netip.Addr) string {
	switch {
	case !ip.IsValid(), ip.IsUnspecified():
		return "which is no address of a host"
	case ip.IsLoopback():
		return "an address of this host (loopback)"
	case ip.IsPrivate():
		return "a private address"
	case ip.IsLinkLocalUnicast():
		return "a link-local address (where clouds keep their metadata)"
	case ip.IsMulticast(), ip.IsInterfaceLocalMulticast(), ip.IsLinkLocalMulticast():
		return "a multicast address"
	}
	for _, s := range specials {
		if s.prefix.Contains(ip) {
			return s.why
		}
	}
	if inner, ok := carried(ip); ok {
		return notPublic(inner)
	}
	return ""
}

// carried is the IPv4 address that some forms of IPv6 lead to.
func carried(ip netip.Addr) (netip.Addr, bool) {
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
