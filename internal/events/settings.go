package events

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/penstock-io/penstock/internal/secret"
)

// Settings are the webhooks and the targets of buses of a configuration file.
type Settings struct {
	Webhooks map[string]Webhook // by path
	Buses    map[string]Bus     // by name
}

// Webhook says how the requests of one path are authenticated and what events they become.
type Webhook struct {
	// Scheme fills in the fields from Header to IDHeader the way some sender has them: "hub" (the default; also
	// GitHub's), "standard" (standardwebhooks.com), "slack", "stripe", "zendesk" or "custom".
	Scheme  string        `yaml:"scheme"`
	Secret  secret.Text   `yaml:"secret"`
	Secrets []secret.Text `yaml:"secrets"` // accepted too, while one takes the place of another

	Header          string        `yaml:"header"`           // that has the signature
	Prefix          string        `yaml:"prefix"`           // of the signature in it
	Encoding        string        `yaml:"encoding"`         // of the signature: "hex" or "base64"
	Signed          string        `yaml:"signed"`           // what is signed, of {body}, {timestamp} and {id}
	TimestampHeader string        `yaml:"timestamp_header"` // Unix seconds or RFC 3339
	Tolerance       time.Duration `yaml:"tolerance"`        // how far the timestamp may be from now; default 5 min
	IDHeader        string        `yaml:"id_header"`        // that tells deliveries apart

	DetailType string `yaml:"detail_type"` // of the events; default "Webhook"
	TypeHeader string `yaml:"type_header"` // whose value is the detail type, when the request has it
}

// schemes are what Webhook.Scheme stands for.
var schemes = map[string]Webhook{
	"hub":      {Header: "X-Hub-Signature-256", Prefix: "sha256=", Encoding: "hex", Signed: "{body}", IDHeader: "X-GitHub-Delivery", TypeHeader: "X-GitHub-Event"},
	"standard": {Header: "Webhook-Signature", Prefix: "v1,", Encoding: "base64", Signed: "{id}.{timestamp}.{body}", TimestampHeader: "Webhook-Timestamp", IDHeader: "Webhook-Id"},
	"slack":    {Header: "X-Slack-Signature", Prefix: "v0=", Encoding: "hex", Signed: "v0:{timestamp}:{body}", TimestampHeader: "X-Slack-Request-Timestamp"},
	"stripe":   {Header: "Stripe-Signature", Prefix: "v1=", Encoding: "hex", Signed: "{timestamp}.{body}"},
	"zendesk":  {Header: "X-Zendesk-Webhook-Signature", Encoding: "base64", Signed: "{timestamp}{body}", TimestampHeader: "X-Zendesk-Webhook-Signature-Timestamp", IDHeader: "X-Zendesk-Webhook-Invocation-Id"},
	"custom":   {Encoding: "hex"},
}

const defaultTolerance = 5 * time.Minute

// Ways to reach a target.
const (
	ToEventBridge = "eventbridge"
	ToHTTP        = "http"
	ToTable       = "table"
)

// Bus says where the events of a bus go.
type Bus struct {
	Type   string        `yaml:"type"`
	MaxAge time.Duration `yaml:"max_age"` // after which an event that cannot be delivered is dead; default 24 h

	// Of eventbridge. Without keys those of PENSTOCK_SOURCE_AWS_* are used, or those of the AWS chain.
	Endpoint        string      `yaml:"endpoint"` // URL; empty for AWS itself
	Region          string      `yaml:"region"`   // default the server's
	Name            string      `yaml:"bus"`      // name or ARN of the bus there; default the same as here
	AccessKeyID     string      `yaml:"access_key_id"`
	SecretAccessKey secret.Text `yaml:"secret_access_key"`

	// Of http, which takes CloudEvents.
	URL       string                 `yaml:"url"`
	Mode      string                 `yaml:"mode"` // "structured" (the default) or "binary"
	Token     secret.Text            `yaml:"token"`
	Headers   map[string]secret.Text `yaml:"headers"`
	AllowHTTP bool                   `yaml:"allow_http"` // permit an unencrypted URL that is not this machine's

	Table string `yaml:"table"` // of table: redshift://<cluster or workgroup>/<database>/<schema>/<table>
}

const defaultMaxAge = 24 * time.Hour

var (
	pathForm  = regexp.MustCompile(`^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	busForm   = regexp.MustCompile(`^[/.A-Za-z0-9_-]{1,256}$`)
	tableForm = regexp.MustCompile(`^redshift://([A-Za-z0-9-]+)/([A-Za-z0-9_$.-]+)/([A-Za-z0-9_$.-]+)/([A-Za-z0-9_$.-]+)$`)
)

// Complete checks the settings and returns them with their defaults filled in. An error begins with the path of
// the key at fault.
func (s Settings) Complete() (Settings, error) {
	out := Settings{Webhooks: map[string]Webhook{}, Buses: map[string]Bus{}}
	for path, w := range s.Webhooks {
		done, where, err := w.complete()
		if err == nil && !pathForm.MatchString(path) {
			where, err = "", fmt.Errorf("a path is made of letters, digits, _, . and -, in segments with a slash between")
		}
		if err != nil {
			return out, fmt.Errorf("webhooks.%s%s: %w", path, where, err)
		}
		out.Webhooks[path] = done
	}
	for name, b := range s.Buses {
		done, where, err := b.complete(name)
		if err == nil && !busForm.MatchString(name) {
			where, err = "", fmt.Errorf("this cannot be the name of an event bus")
		}
		if err != nil {
			return out, fmt.Errorf("event-buses.%s%s: %w", name, where, err)
		}
		out.Buses[name] = done
	}
	return out, nil
}

func (w Webhook) complete() (_ Webhook, where string, _ error) {
	if w.Scheme == "" {
		w.Scheme = "hub"
	}
	usual, ok := schemes[w.Scheme]
	if !ok {
		return w, ".scheme", fmt.Errorf("%q is none of %s", w.Scheme, strings.Join(slices.Sorted(maps.Keys(schemes)), ", "))
	}
	for _, f := range []struct {
		to   *string
		from string
	}{
		{&w.Header, usual.Header}, {&w.Prefix, usual.Prefix}, {&w.Encoding, usual.Encoding}, {&w.Signed, usual.Signed},
		{&w.TimestampHeader, usual.TimestampHeader}, {&w.IDHeader, usual.IDHeader}, {&w.TypeHeader, usual.TypeHeader}, {&w.DetailType, "Webhook"},
	} {
		if *f.to == "" {
			*f.to = f.from
		}
	}
	if w.Tolerance == 0 {
		w.Tolerance = defaultTolerance
	}
	switch {
	case w.Secret.Empty() && len(w.Secrets) == 0:
		return w, ".secret", fmt.Errorf("is required; make a long random one and give it to the sender")
	case w.Header == "":
		return w, ".header", fmt.Errorf("is required for scheme custom: the header that has the signature")
	case w.Encoding != "hex" && w.Encoding != "base64":
		return w, ".encoding", fmt.Errorf("%q is neither hex nor base64", w.Encoding)
	case !strings.Contains(w.Signed, "{body}"):
		return w, ".signed", fmt.Errorf("must have {body} in it, and may have {timestamp} and {id}")
	case strings.Contains(w.Signed, "{timestamp}") && w.TimestampHeader == "" && w.Scheme != "stripe":
		return w, ".timestamp_header", fmt.Errorf("is required, since the signature covers {timestamp}")
	case w.TimestampHeader != "" && !strings.Contains(w.Signed, "{timestamp}"):
		return w, ".signed", fmt.Errorf("must have {timestamp} in it, or anybody could change the timestamp")
	case strings.Contains(w.Signed, "{id}") && w.IDHeader == "":
		return w, ".id_header", fmt.Errorf("is required, since the signature covers {id}")
	case w.Tolerance < 0:
		return w, ".tolerance", fmt.Errorf("%s is negative", w.Tolerance)
	}
	if !w.Secret.Empty() {
		w.Secrets = append([]secret.Text{w.Secret}, w.Secrets...)
		w.Secret = secret.Text{}
	}
	for n, s := range w.Secrets {
		if s.Empty() {
			return w, ".secrets", fmt.Errorf("the %d. is empty", n+1)
		}
		if encoded, ok := strings.CutPrefix(s.Reveal(), "whsec_"); ok && w.Scheme == "standard" {
			key, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				return w, ".secret", fmt.Errorf("begins with whsec_, and what follows is not base64")
			}
			w.Secrets[n] = secret.NewText(string(key))
		}
	}
	return w, "", nil
}

func (b Bus) complete(name string) (_ Bus, where string, _ error) {
	if b.MaxAge == 0 {
		b.MaxAge = defaultMaxAge
	}
	if b.MaxAge < 0 {
		return b, ".max_age", fmt.Errorf("%s is negative", b.MaxAge)
	}
	switch b.Type {
	case ToEventBridge:
		if b.Name == "" {
			b.Name = name
		}
		if b.Endpoint != "" {
			if u, err := url.Parse(b.Endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
				return b, ".endpoint", fmt.Errorf("%q is not a URL", b.Endpoint)
			}
		}
		if (b.AccessKeyID == "") != b.SecretAccessKey.Empty() {
			return b, ".access_key_id", fmt.Errorf("and secret_access_key belong together")
		}
	case ToHTTP:
		u, err := url.Parse(b.URL)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https":
			return b, ".url", fmt.Errorf("%q is not a URL without credentials", b.URL)
		case u.Scheme == "http" && !b.AllowHTTP && !loopback(u.Hostname()):
			return b, ".url", fmt.Errorf("%q is unencrypted; use https, or set allow_http: true", b.URL)
		}
		if b.Mode == "" {
			b.Mode = "structured"
		}
		if b.Mode != "structured" && b.Mode != "binary" {
			return b, ".mode", fmt.Errorf("%q is neither structured nor binary", b.Mode)
		}
		for h := range b.Headers {
			if canonical := http.CanonicalHeaderKey(h); strings.HasPrefix(canonical, "Ce-") || canonical == "Content-Type" || canonical == "Content-Length" || canonical == "Host" {
				return b, ".headers", fmt.Errorf("%s is set by the event itself", h)
			}
		}
	case ToTable:
		if !tableForm.MatchString(b.Table) {
			return b, ".table", fmt.Errorf("%q is not of the form redshift://<cluster or workgroup>/<database>/<schema>/<table>", b.Table)
		}
	default:
		return b, ".type", fmt.Errorf("%q is none of eventbridge, http, table", b.Type)
	}
	return b, "", nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
