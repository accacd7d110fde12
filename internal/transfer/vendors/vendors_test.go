package vendors_test

import (
	"testing"

	"github.com/penstock-io/penstock/internal/transfer/vendors"
	"github.com/penstock-io/penstock/internal/transfer/vendors/vendortest"
)

func TestSalesforce(t *testing.T) {
	t.Parallel()
	vendortest.Suite(t, func(t *testing.T) *vendortest.Fake { return vendortest.New(t, vendors.Salesforce) })
}

func TestServiceNow(t *testing.T) {
	t.Parallel()
	vendortest.Suite(t, func(t *testing.T) *vendortest.Fake { return vendortest.New(t, vendors.ServiceNow) })
}

func TestZendesk(t *testing.T) {
	t.Parallel()
	for way, object := range map[string]string{"cursor export": "tickets", "time export": "articles", "list": "macros"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			vendortest.Suite(t, func(t *testing.T) *vendortest.Fake {
				f := vendortest.New(t, vendors.Zendesk)
				f.Object = object
				return f
			})
		})
	}
}
