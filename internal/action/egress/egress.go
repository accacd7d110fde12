// Package egress decides which addresses outgoing calls of connectors may reach, and makes the connections.
//
// A connector's address comes from whoever may create connectors, so it is not to be trusted with the network
// the server stands in. By default only https is spoken and only public addresses are reached: loopback,
// private, link-local (cloud metadata), shared, documentation, multicast and reserved ranges are refused, in
// IPv4, IPv6 and the forms of IPv6 that carry an IPv4 address.
//
// The name is resolved once per connection: the address that was judged is the address that is dialled, so a
// name that answers differently the second time gains nothing. Connections that are kept for reuse were judged
// when they were made, under the same policy, because every policy has connections of its own.
//
// A policy may open networks and plain http, close all hosts but some, trust further certificate authorities
// and go through a proxy. Through a proxy the proxy resolves names; then only addresses written as numbers, localhost
// and the list of hosts are judged here. Addresses in forms that not everyone reads alike are refused in any case.
package egress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Subject is the Subject of the faults raised here.
const Subject = "address"

// Policy says where calls may go. The zero value is the safe default.
type Policy struct {
	AllowHTTP       bool           // plain http as well as https
	AllowedNetworks []netip.Prefix // reached although they are not public
	AllowedHosts    []string       // if any, only these: "api.example.com", or "*.example.com" for names below it
	Proxy           *url.URL       // http or https proxy; nil for none. The environment's is never used
	RootCAs         *x509.CertPool // nil for the system's
	DialTimeout     time.Duration  // of one connection with its TLS handshake; 0 means 10 s
	// Resolve looks a name up; nil means the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Everywhere are the networks that, as AllowedNetworks, allow every address.
func Everywhere() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
}

// Egress makes connections under one policy. It is safe for concurrent use.
type Egress struct {
	policy    Policy
	dialer    net.Dialer
	transport *http.Transport
}

// New makes an Egress. It contacts nobody; Close it to let go of idle connections.
func New(p Policy) (*Egress, error) {
	for _, h := range p.AllowedHosts {
		if name := strings.TrimPrefix(h, "*."); name == "" || strings.ContainsAny(name, "*/: ") {
			return nil, fmt.Errorf("allowed host %q is neither a name like api.example.com nor *.example.com", h)
		}
	}
	if p.Proxy != nil && (p.Proxy.Host == "" || p.Proxy.Scheme != "http" && p.Proxy.Scheme != "https") {
		return nil, fmt.Errorf("proxy %q is not a URL like http://proxy.example.com:3128", p.Proxy.Redacted())
	}
	if p.DialTimeout <= 0 {
		p.DialTimeout = 10 * time.Second
	}
	e := &Egress{policy: p, dialer: net.Dialer{Timeout: p.DialTimeout, KeepAlive: 30 * time.Second}}
	e.transport = &http.Transport{
		DialContext:            e.dial,
		TLSClientConfig:        &tls.Config{RootCAs: p.RootCAs, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    p.DialTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           1024,
		MaxIdleConnsPerHost:    64,
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		WriteBufferSize:        16 << 10,
		ReadBufferSize:         16 << 10,
		MaxResponseHeaderBytes: 256 << 10,
	}
	if p.Proxy != nil {
		e.transport.Proxy = http.ProxyURL(p.Proxy)
	}
	return e, nil
}

// Transport makes requests under the policy. It follows no redirects and adds no credentials. What the policy
// refuses is an error that holds a *fault.Error of kind Denied.
func (e *Egress) Transport() http.RoundTripper { return checked{e} }

// Close lets go of idle connections.
func (e *Egress) Close() { e.transport.CloseIdleConnections() }

type checked struct{ *Egress }

func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := c.Check(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // a RoundTripper closes the body, whatever happens
		}
		return nil, err
	}
	return c.transport.RoundTrip(r)
}

// Check judges a URL by what can be told without resolving its name.
func (e *Egress) Check(u *url.URL) error {
	switch {
	case u.Scheme == "https", u.Scheme == "http" && e.policy.AllowHTTP:
	case u.Scheme == "http":
		return fault.New(fault.Denied, Subject, "The address %s is plain http, over which credentials would travel in the clear. Use https, or allow http with the setting action-allow-http.", where(u))
	default:
		return fault.New(fault.Denied, Subject, "The address %s has the scheme %q; only https is called.", where(u), u.Scheme)
	}
	host := u.Hostname()
	if host == "" {
		return fault.New(fault.Denied, Subject, "The address %q names no host.", u.Redacted())
	}
	if u.User != nil {
		return fault.New(fault.Denied, Subject, "The address %s carries a user name or password; put credentials into the connector's authentication instead.", where(u))
	}
	if !e.hostAllowed(host) {
		return fault.New(fault.Denied, Subject, "The host %s is not among the allowed hosts. Add it to the setting action-allowed-hosts (or allowed-hosts of the VPC connection), or correct the connector's endpoint.", host)
	}
	ip, err := netip.ParseAddr(host)
	switch {
	case err == nil:
		return e.judge(host, ip)
	case numeric(host):
		return fault.New(fault.Denied, Subject, "The host %s is an address in a form that is read in more than one way. Write it as four decimal numbers.", host)
	case e.policy.Proxy != nil && local(host):
		return e.judge(host, netip.AddrFrom4([4]byte{127, 0, 0, 1}))
	}
	return nil
}

// numeric reports whether a host that is no proper address would still be taken for one: 2130706433, 0x7f.1, 127.0.0.1
// with a dot at its end. Names do not end in a number.
func numeric(host string) bool {
	host = strings.TrimSuffix(host, ".")
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// local reports whether a name is that of the host itself, wherever it is looked up.
func local(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

func (e *Egress) hostAllowed(host string) bool {
	if len(e.policy.AllowedHosts) == 0 {
		return true
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, allowed := range e.policy.AllowedHosts {
		allowed = strings.ToLower(allowed)
		if below, wild := strings.CutPrefix(allowed, "*"); wild && len(host) > len(below) && strings.HasSuffix(host, below) {
			return true
		}
		if host == allowed {
			return true
		}
	}
	return false
}

// dial resolves, judges and connects to what was judged.
func (e *Egress) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if e.policy.Proxy != nil {
		return e.dialer.DialContext(ctx, network, address) // the proxy itself, which the operator chose
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := e.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var allowed []netip.Addr
	var refused error
	for _, ip := range addrs {
		if err := e.judge(host, ip); err != nil {
			refused = err
			continue
		}
		allowed = append(allowed, ip)
	}
	switch {
	case len(allowed) > 0:
		return e.first(ctx, network, port, allowed)
	case refused != nil:
		return nil, refused
	}
	return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
}

// stagger is how long an address has before the next one is tried as well.
const stagger = 300 * time.Millisecond

// first connects to whichever of the addresses answers first, beginning with one after the other, so that a
// family of addresses that leads nowhere costs little.
func (e *Egress) first(ctx context.Context, network, port string, addrs []netip.Addr) (net.Conn, error) {
	if len(addrs) == 1 {
		return e.dialer.DialContext(ctx, network, net.JoinHostPort(addrs[0].String(), port))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		conn net.Conn
		err  error
	}
	outcomes := make(chan outcome)
	begin := func(ip netip.Addr) {
		go func() {
			conn, err := e.dialer.DialContext(ctx, network, net.JoinHostPort(ip.String(), port))
			select {
			case outcomes <- outcome{conn, err}:
			case <-ctx.Done(): // another was first
				if conn != nil {
					_ = conn.Close()
				}
			}
		}()
	}
	next := time.NewTimer(stagger)
	defer next.Stop()
	begin(addrs[0])
	begun, ended := 1, 0
	var failed error
	for {
		select {
		case o := <-outcomes:
			if o.err == nil {
				return o.conn, nil
			}
			ended++
			if failed == nil {
				failed = o.err
			}
			if ended == len(addrs) {
				return nil, failed
			}
			next.Reset(0)
		case <-next.C:
			if begun < len(addrs) {
				begin(addrs[begun])
				begun++
				next.Reset(stagger)
			}
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (e *Egress) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	if e.policy.Resolve != nil {
		return e.policy.Resolve(ctx, host)
	}
	ctx, cancel := context.WithTimeout(ctx, e.policy.DialTimeout)
	defer cancel()
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// judge says whether an address may be reached. host is how the request named it.
func (e *Egress) judge(host string, ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	for _, network := range e.policy.AllowedNetworks {
		if network.Contains(ip) {
			return nil
		}
	}
	if why := notPublic(ip); why != "" {
		return fault.New(fault.Denied, Subject,
			"The host %s is at %s, %s. Such addresses are called only if the setting action-allowed-networks, or allowed-networks of the VPC connection, has their network.", host, ip, why)
	}
	return nil
}

// where shows a URL without what may be secret in it.
func where(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
