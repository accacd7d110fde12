package events_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/penstock-io/penstock/internal/events"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, err string }{
		{in: "webhooks: {orders: {secret: s}}"},
		{in: "webhooks: {a/b: {scheme: slack, secrets: [s, t]}}"},
		{in: "webhooks: {a: {scheme: standard, secret: whsec_c2VjcmV0}}"},
		{in: "webhooks: {a: {scheme: custom, secret: s, header: X, signed: '{timestamp}{body}', timestamp_header: Y, tolerance: 1m}}"},
		{in: "buses: {default: {type: eventbridge}}"},
		{in: "buses: {default: {type: eventbridge, endpoint: 'http://127.0.0.1:1', access_key_id: a, secret_access_key: b, max_age: 1h}}"},
		{in: "buses: {aws.partner/x.com/1: {type: http, url: 'https://x.example/in', mode: binary, token: t, headers: {X-A: b}}}"},
		{in: "buses: {default: {type: table, table: 'redshift://default/dev/public/events'}}"},
		{in: "webhooks: {orders: {}}", err: "webhooks.orders.secret: is required"},
		{in: "webhooks: {a b: {secret: s}}", err: "webhooks.a b: a path"},
		{in: "webhooks: {a//b: {secret: s}}", err: "a path"},
		{in: "webhooks: {a: {scheme: magic, secret: s}}", err: "webhooks.a.scheme"},
		{in: "webhooks: {a: {scheme: custom, secret: s, signed: '{body}'}}", err: "webhooks.a.header"},
		{in: "webhooks: {a: {scheme: custom, secret: s, header: X}}", err: "webhooks.a.signed"},
		{in: "webhooks: {a: {secret: s, encoding: base32}}", err: "webhooks.a.encoding"},
		{in: "webhooks: {a: {secret: s, signed: '{timestamp}{body}'}}", err: "webhooks.a.timestamp_header"},
		{in: "webhooks: {a: {secret: s, timestamp_header: X}}", err: "webhooks.a.signed"},
		{in: "webhooks: {a: {scheme: custom, header: X, secret: s, signed: '{id}{body}'}}", err: "webhooks.a.id_header"},
		{in: "webhooks: {a: {secret: s, tolerance: -1s}}", err: "webhooks.a.tolerance"},
		{in: "webhooks: {a: {scheme: standard, secret: whsec_!}}", err: "webhooks.a.secret"},
		{in: "buses: {default: {}}", err: "event-buses.default.type"},
		{in: "buses: {'a b': {type: eventbridge}}", err: "event-buses.a b: this cannot be"},
		{in: "buses: {default: {type: eventbridge, endpoint: nowhere}}", err: "event-buses.default.endpoint"},
		{in: "buses: {default: {type: eventbridge, access_key_id: a}}", err: "event-buses.default.access_key_id"},
		{in: "buses: {default: {type: http, url: 'http://x.example'}}", err: "allow_http"},
		{in: "buses: {default: {type: http, url: 'https://u:p@x.example'}}", err: "event-buses.default.url"},
		{in: "buses: {default: {type: http, url: 'https://x.example', mode: loose}}", err: "event-buses.default.mode"},
		{in: "buses: {default: {type: http, url: 'https://x.example', headers: {ce-id: x}}}", err: "event-buses.default.headers"},
		{in: "buses: {default: {type: table, table: events}}", err: "event-buses.default.table"},
		{in: "buses: {default: {type: table, table: 'redshift://default/dev/public/events', max_age: -1h}}", err: "event-buses.default.max_age"},
	} {
		var s events.Settings
		if err := yaml.Unmarshal([]byte(c.in), &s); err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		done, err := s.Complete()
		if c.err == "" && err != nil || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s\n got %v, want %q", c.in, err, c.err)
		}
		for _, w := range done.Webhooks {
			if text := fmt.Sprintf("%+v", w); strings.Contains(text, "whsec") || w.Tolerance < time.Second {
				t.Errorf("%s: %s", c.in, text)
			}
		}
	}
}
