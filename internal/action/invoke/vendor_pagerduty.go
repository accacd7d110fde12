package invoke

import "github.com/penstock-io/penstock/internal/action/catalog"

// pagerdutyPrepare asks for the version of the API that the catalogue is about, and names the acting user, which
// PagerDuty wants of writes with the key of an account.
func pagerdutyPrepare(p *plan) []catalog.Violation {
	p.header.Set("Accept", "application/vnd.pagerduty+json;version=2")
	if p.action.Write && p.header.Get("From") == "" && p.connector.Auth.Email != "" {
		p.header.Set("From", p.connector.Auth.Email)
	}
	return nil
}
