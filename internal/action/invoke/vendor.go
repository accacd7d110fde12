package invoke

import (
	"context"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// vendor is the code of a vendor, for what OpenAPI cannot say. Any of it may be missing.
type vendor struct {
	// prepare changes a plan whose arguments are valid, without contacting anyone: dry runs show what it makes.
	prepare func(p *plan) []catalog.Violation
	// before reads what the request depends on. base is where the calls go.
	before func(ctx context.Context, r *run, base *url.URL) error
	// perform makes the requests of actions that are more than one; done is false for all others.
	perform func(ctx context.Context, r *run, base *url.URL) (a *answer, done bool, err error)
	// finish turns an answer of success into the result, or into the error that it is.
	finish func(r *run, a *answer) error
	// unauthorized recognises refused credentials that do not come as 401.
	unauthorized func(a *answer) bool
	// instance: calls go where the token says.
	instance bool
	// pageBelow: the next page is below the path of the action.
	pageBelow bool
}

// vendorOf is the table of vendors that need code.
func vendorOf(typ string) vendor {
	switch typ {
	case catalog.GenericHTTP:
		return vendor{prepare: genericPrepare, perform: formToken}
	case "SERVICENOW_NOW_PLATFORM":
		return vendor{prepare: servicenowPrepare}
	case "SALESFORCE_CRM":
		return vendor{prepare: salesforcePrepare, instance: true, pageBelow: true}
	case "MICROSOFT_OUTLOOK", "MICROSOFT_ONEDRIVE", "MICROSOFT_SHAREPOINT", "MICROSOFT_TEAMS":
		return vendor{prepare: graphPrepare}
	case "PAGERDUTY_ADVANCE":
		return vendor{prepare: pagerdutyPrepare}
	case "JIRA_CLOUD":
		return vendor{prepare: jiraPrepare, before: jiraBefore, unauthorized: jiraUnauthorized}
	case "ATLASSIAN_CONFLUENCE":
		return vendor{prepare: confluencePrepare, before: confluenceBefore}
	case "SLACK":
		return vendor{prepare: slackPrepare, perform: slackPerform, finish: slackFinish, unauthorized: slackUnauthorized}
	case "AMAZON_S3":
		return vendor{prepare: s3Prepare, finish: s3Finish}
	case "AMAZON_BEDROCK_AGENT_RUNTIME":
		return vendor{finish: agentFinish}
	}
	if strings.HasPrefix(typ, "SAP_") {
		return vendor{perform: formToken}
	}
	return vendor{}
}

// read sends a GET of the vendor's API that an action depends on. path is below base, escaped, with its query.
func (r *run) read(ctx context.Context, base *url.URL, path string) (*answer, error) {
	sub := *r.plan
	sub.path, sub.query, sub.page = path, nil, nil
	query := ""
	if at := strings.IndexByte(path, '?'); at >= 0 {
		sub.path, query = path[:at], path[at+1:]
	}
	u, err := url.Parse(sub.join(base))
	if err != nil {
		return nil, failure(InvalidArguments, err, "The arguments of %s make no URL.", r.plan.action.ID)
	}
	u.RawQuery = query
	header := r.plan.header.Clone()
	header.Del("Content-Type")
	a, err := r.send(ctx, &request{method: "GET", url: u, header: header, read: true, origin: base})
	if err != nil {
		return nil, err
	}
	if r.unauthorized(a) || a.status < 200 || a.status > 299 {
		return nil, r.refusal(a)
	}
	return a, nil
}

func violation(pointer, message string) []catalog.Violation {
	return []catalog.Violation{{Pointer: pointer, Message: message}}
}

// text is an argument that is a string.
func (p *plan) text(name string) string {
	s, _ := p.args[name].(string)
	return s
}

// object is the body as an object, made if there is none.
func (p *plan) object() map[string]any {
	o, ok := p.body.(map[string]any)
	if !ok {
		o = map[string]any{}
		p.body = o
	}
	return o
}

func (p *plan) setQuery(name, value string) {
	for i := range p.query {
		if p.query[i].name == name {
			p.query[i].value = value
			return
		}
	}
	p.query = append(p.query, pair{name, value})
}

func (p *plan) queryValue(name string) string {
	for _, q := range p.query {
		if q.name == name {
			return q.value
		}
	}
	return ""
}
