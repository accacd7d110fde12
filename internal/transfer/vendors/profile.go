package vendors

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/penstock-io/penstock/internal/secret"
)

// Vendor is a kind of system records are read from.
type Vendor string

const (
	Salesforce Vendor = "salesforce"
	ServiceNow Vendor = "servicenow"
	Zendesk    Vendor = "zendesk"
)

// Vendors lists them.
func Vendors() []Vendor { return []Vendor{Salesforce, ServiceNow, Zendesk} }

// Name is the vendor's own spelling.
func (v Vendor) Name() string {
	return map[Vendor]string{Salesforce: "Salesforce", ServiceNow: "ServiceNow", Zendesk: "Zendesk"}[v]
}

// Profiles are the connection profiles of a configuration file, by vendor and name.
type Profiles map[Vendor]map[string]Profile

// Profile says where a vendor's instance is and how to sign in.
type Profile struct {
	BaseURL    string `yaml:"base_url"`    // "https://example.my.salesforce.com"
	APIVersion string `yaml:"api_version"` // of Salesforce, "v62.0"; others have none
	PageSize   int    `yaml:"page_size"`   // records per request; 0 is the vendor's usual
	AllowHTTP  bool   `yaml:"allow_http"`  // permit an unencrypted URL that is not this machine's
	CAFile     string `yaml:"ca_file"`     // certificates to trust instead of the system's, PEM
	Auth       Auth   `yaml:"auth"`
}

// Ways to sign in.
const (
	ClientCredentials = "oauth2_client_credentials"
	RefreshToken      = "oauth2_refresh_token"
	Basic             = "basic"
	APIKey            = "api_key"
	Bearer            = "bearer"
)

// Auth is how to sign in. Which fields a type needs is in authFields.
type Auth struct {
	Type         string      `yaml:"type"`
	Username     string      `yaml:"username"` // of Zendesk's api_key, the agent's e-mail address
	Password     secret.Text `yaml:"password"`
	APIKey       secret.Text `yaml:"api_key"`
	Token        secret.Text `yaml:"token"`
	ClientID     string      `yaml:"client_id"`
	ClientSecret secret.Text `yaml:"client_secret"`
	RefreshToken secret.Text `yaml:"refresh_token"`
	TokenURL     string      `yaml:"token_url"` // empty is the vendor's usual path below base_url
	Scopes       []string    `yaml:"scopes"`
}

// authFields are the fields each way to sign in must have. Those of OAuth 2 may have token_url and scopes, too.
var authFields = map[string][]string{
	ClientCredentials: {"client_id", "client_secret"},
	RefreshToken:      {"client_id", "client_secret", "refresh_token"},
	Basic:             {"username", "password"},
	APIKey:            {"api_key"},
	Bearer:            {"token"},
}

var (
	profileName = regexp.MustCompile(`^[A-Za-z0-9_.@#+=-]{1,256}$`)
	apiVersion  = regexp.MustCompile(`^v[0-9]{2,3}\.0$`)
)

// Validate returns the first thing wrong with the profiles, with its path: "salesforce.sales.auth.type: ...".
func (p Profiles) Validate() error {
	for vendor, named := range p {
		if !slices.Contains(Vendors(), vendor) {
			return fmt.Errorf("%s: unknown vendor; the vendors are salesforce, servicenow and zendesk", vendor)
		}
		for name, profile := range named {
			if !profileName.MatchString(name) {
				return fmt.Errorf("%s.%s: a profile's name is made of letters, digits and any of _.@#+=-, since it is part of a source URI", vendor, name)
			}
			if where, err := profile.validate(vendor); err != nil {
				return fmt.Errorf("%s.%s.%s: %w", vendor, name, where, err)
			}
		}
	}
	return nil
}

// Names are the names of a vendor's profiles, sorted.
func (p Profiles) Names(v Vendor) []string {
	var names []string
	for name := range p[v] {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// validate returns what is wrong and the key it stands under.
func (p Profile) validate(v Vendor) (string, error) {
	if err := p.checkURL(p.BaseURL); err != nil {
		return "base_url", err
	}
	if p.APIVersion != "" && (v != Salesforce || !apiVersion.MatchString(p.APIVersion)) {
		return "api_version", fmt.Errorf("%q is not a version of Salesforce's API, such as v62.0; no other vendor has one", p.APIVersion)
	}
	if p.PageSize < 0 || p.PageSize > 10_000 {
		return "page_size", fmt.Errorf("%d is not between 1 and 10000", p.PageSize)
	}
	return p.Auth.validate(v, p)
}

func (p Profile) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		return fmt.Errorf("%q is not a URL such as https://example.com, without a query or credentials", text)
	case u.Scheme == "https" || u.Scheme == "http" && (p.AllowHTTP || loopback(u.Hostname())):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("%q would send credentials unencrypted; use https, or set allow_http: true", text)
	}
	return fmt.Errorf("%q has the scheme %q; use https", text, u.Scheme)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (a Auth) validate(v Vendor, p Profile) (string, error) {
	needed, known := authFields[a.Type]
	if !known {
		return "auth.type", fmt.Errorf("%q is none of %s", a.Type, strings.Join(slices.Sorted(maps.Keys(authFields)), ", "))
	}
	if a.Type == APIKey && v == Salesforce || a.Type == Basic && v == Salesforce {
		return "auth.type", fmt.Errorf("Salesforce's REST API takes no %s; use %s", a.Type, ClientCredentials) //nolint:staticcheck // the vendor's name begins with a capital
	}
	if a.Type == APIKey && v == Zendesk {
		needed = []string{"username", "api_key"}
	}
	have := map[string]bool{
		"username": a.Username != "", "password": !a.Password.Empty(), "api_key": !a.APIKey.Empty(), "token": !a.Token.Empty(),
		"client_id": a.ClientID != "", "client_secret": !a.ClientSecret.Empty(), "refresh_token": !a.RefreshToken.Empty(),
	}
	for _, field := range needed {
		if !have[field] {
			return "auth." + field, fmt.Errorf("is required for type %s", a.Type)
		}
	}
	for field, set := range have {
		if set && !slices.Contains(needed, field) {
			return "auth." + field, fmt.Errorf("means nothing for type %s", a.Type)
		}
	}
	oauth := a.Type == ClientCredentials || a.Type == RefreshToken
	if (a.TokenURL != "" || len(a.Scopes) > 0) && !oauth {
		return "auth.type", fmt.Errorf("token_url and scopes mean nothing for type %s", a.Type)
	}
	if a.TokenURL != "" {
		if err := p.checkURL(a.TokenURL); err != nil {
			return "auth.token_url", err
		}
	}
	return "", nil
}
