package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/penstock-io/penstock/internal/fault"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRefusedAddresses(t *testing.T) {
	t.Parallel()
	// Where a name resolves to; anything else written as a number needs no resolver.
	names := map[string][]netip.Addr{
		"localhost":            {netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")},
		"localhost.":           {netip.MustParseAddr("127.0.0.1")},
		"metadata.example.com": {netip.MustParseAddr("169.254.169.254")},
		"intranet.example.com": {netip.MustParseAddr("10.1.2.3")},
		"mapped.example.com":   {netip.MustParseAddr("::ffff:10.0.0.1")},
		"2130706433":           {netip.MustParseAddr("127.0.0.1")}, // what getaddrinfo makes of such names
		"0x7f.1":               {netip.MustParseAddr("127.0.0.1")},
		"017700000001":         {netip.MustParseAddr("127.0.0.1")},
		"nobody.example.com":   nil,
		"all-bad.example.com":  {netip.MustParseAddr("192.168.0.1"), netip.MustParseAddr("fd00::1")},
	}
	e, err := New(Policy{Resolve: func(_ context.Context, host string) ([]netip.Addr, error) { return names[host], nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	client := &http.Client{Transport: e.Transport()}
	for _, target := range []string{
		"http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "https:///path",
		"https://user:password@example.com/", "https://127.0.0.1/", "https://127.1.2.3:8443/", "https://0.0.0.0/", "https://0.1.2.3/",
		"https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data/",
		"https://100.64.0.1/", "https://192.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.1/",
		"https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
		"https://[::]/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[::127.0.0.1]/",
		"https://[fe80::1]/", "https://[fe80::1%25eth0]/", "https://[fc00::1]/", "https://[fd00:ec2::254]/", "https://[fec0::1]/", "https://[ff02::1]/",
		"https://[64:ff9b::7f00:1]/", "https://[64:ff9b::a9fe:a9fe]/", "https://[2002:7f00:1::]/", "https://[2002:a00:1::1]/", "https://[2001::1]/",
		"https://[2001:db8::1]/", "https://[100::1]/",
		"https://localhost/", "https://localhost./", "https://metadata.example.com/", "https://intranet.example.com/", "https://mapped.example.com/",
		"https://2130706433/", "https://0x7f.1/", "https://017700000001/", "https://127.0.0.1./", "https://0177.0.0.1/", "https://1.1.1.0x1/", "https://all-bad.example.com/",
	} {
		resp, err := client.Get(target)
		if err == nil {
			resp.Body.Close()
			t.Errorf("%s was called", target)
			continue
		}
		if !fault.Is(err, fault.Denied, Subject) {
			t.Errorf("%s: %v, want a refusal", target, err)
		}
	}
	if _, err := client.Get("https://nobody.example.com/"); err == nil || fault.Is(err, fault.Denied, "") {
		t.Errorf("a name without an address: %v, want a failure to resolve", err)
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.128.0.1", "192.0.1.1", "223.255.255.255",
		"2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808", "2002:808:808::1"} {
		if why := notPublic(netip.MustParseAddr(ip)); why != "" {
			t.Errorf("%s is taken for %s", ip, why)
		}
	}
}

func TestAllowedHosts(t *testing.T) {
	t.Parallel()
	e, err := New(Policy{AllowedHosts: []string{"api.example.com", "*.Example.org"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Check(&url.URL{Scheme: "https", Host: "0xample.1x"}); err == nil || numeric("0xample") || numeric("4chan") || numeric("a.b4") {
		t.Error("a name is taken for a number")
	}
	for host, want := range map[string]bool{
		"api.example.com": true, "API.example.com": true, "api.example.com.": true, "x.api.example.com": false, "example.com": false,
		"a.example.org": true, "a.b.example.org": true, "example.org": false, "evilexample.org": false, "api.example.com.evil.net": false,
	} {
		if got := e.Check(&url.URL{Scheme: "https", Host: host}) == nil; got != want {
			t.Errorf("%s allowed: %v, want %v", host, got, want)
		}
	}
	for _, bad := range []string{"", "*", "*.", "a*b", "https://x", "x:443"} {
		if _, err := New(Policy{AllowedHosts: []string{bad}}); err == nil {
			t.Errorf("allowed host %q was accepted", bad)
		}
	}
}

// A name that is public when it is looked up first and private afterwards is dialled where it was judged.
func TestRebinding(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	var lookups atomic.Int32
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	e, err := New(Policy{
		RootCAs:         pool,
		AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			if lookups.Add(1) == 1 {
				return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
			}
			return []netip.Addr{netip.MustParseAddr("169.254.169.254")}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	client := &http.Client{Transport: e.Transport()}
	target := strings.Replace(server.URL, "127.0.0.1", "example.com", 1) // a name in httptest's certificate
	resp, err := client.Get(target)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if n := lookups.Load(); n != 1 {
		t.Errorf("the name was looked up %d times for one connection", n)
	}
	e.Close() // the kept connection goes, so the name is looked up again
	if _, err := client.Get(target); !fault.Is(err, fault.Denied, Subject) {
		t.Errorf("after the name moved to a private address: %v, want a refusal", err)
	}
}

func TestProxyAndRedirect(t *testing.T) {
	t.Parallel()
	var connected, asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.Method == http.MethodConnect && r.Host == "api.example.com:443" {
			connected.Add(1)
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	through, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	e, err := New(Policy{Proxy: through})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	client := &http.Client{Transport: e.Transport()}
	if _, err := client.Get("https://api.example.com/"); err == nil || connected.Load() != 1 {
		t.Errorf("the proxy was asked %d times (%v)", connected.Load(), err)
	}
	for _, target := range []string{
		"https://169.254.169.254/", "https://[::ffff:169.254.169.254]/", "https://2852039166/", "https://0xa9fea9fe/", "https://0251.0376.0251.0376/", "https://169.254.43518/",
		"https://169.254.169.254./", "https://127.1/", "https://0x7f.0x0.0x0.0x1/", "https://0x/", "https://localhost/", "https://LOCALHOST./", "https://x.localhost/",
	} {
		if _, err := client.Get(target); !fault.Is(err, fault.Denied, Subject) {
			t.Errorf("%s through the proxy: %v, want a refusal", target, err)
		}
	}
	if connected.Load() != 1 || asked.Load() != 1 {
		t.Errorf("the proxy was asked %d times", asked.Load())
	}
	direct, err := New(Policy{})
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	if direct.transport.Proxy != nil {
		t.Error("without a proxy in the policy that of the environment is used")
	}
	for _, bad := range []string{"socks5://x", "//x", "http://"} {
		u, _ := url.Parse(bad)
		if _, err := New(Policy{Proxy: u}); err == nil {
			t.Errorf("proxy %q was accepted", bad)
		}
	}

	// A redirect is a new request, so it is judged as well.
	away := httptest.NewTLSServer(http.RedirectHandler("http://169.254.169.254/", http.StatusFound))
	defer away.Close()
	pool := x509.NewCertPool()
	pool.AddCert(away.Certificate())
	open, err := New(Policy{RootCAs: pool, AllowHTTP: true, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	_, err = (&http.Client{Transport: open.Transport()}).Get(away.URL)
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.Denied {
		t.Errorf("redirect to a metadata address: %v, want a refusal", err)
	}
}

// A name with addresses that lead nowhere, are refused, and work: the one that works is used.
func TestSeveralAddresses(t *testing.T) {
	t.Parallel()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("127.0.0.1")}
	for range len(addrs) {
		addrs = append(addrs[1:], addrs[0])
		order := slices.Clone(addrs)
		e, err := New(Policy{RootCAs: pool, AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
			Resolve: func(context.Context, string) ([]netip.Addr, error) { return order, nil }})
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: e.Transport()}).Get(strings.Replace(server.URL, "127.0.0.1", "example.com", 1))
		if err != nil {
			t.Errorf("%v: %v", order, err)
		} else {
			resp.Body.Close()
		}
		e.Close()
	}
	nowhere, err := New(Policy{AllowedNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
		Resolve: func(context.Context, string) ([]netip.Addr, error) { return addrs[:2], nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer nowhere.Close()
	if _, err := (&http.Client{Transport: nowhere.Transport()}).Get("https://example.com:1/"); err == nil || fault.Is(err, fault.Denied, "") {
		t.Errorf("nobody listens: %v", err)
	}
}
