package invoke

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

func slackPrepare(p *plan) []catalog.Violation {
	switch p.action.ID {
	case "ChatPostMessage":
		_, text := p.args["text"]
		_, blocks := p.args["blocks"]
		_, attachments := p.args["attachments"]
		if !text && !blocks && !attachments {
			return violation("", "give text or blocks")
		}
	case "UploadToURLExternal":
		u, err := url.Parse(p.text("upload_url"))
		if err != nil || u.Host == "" || !slackHost(u, p.base) {
			return violation("/upload_url", "is not an address that Slack gives for uploads")
		}
		if _, problem := p.bytes("content"); problem != nil {
			return []catalog.Violation{*problem}
		}
		p.note("The content is sent to upload_url first, without credentials; what is shown finishes the upload.")
	case "DownloadFile":
		p.note("The file's private address is read first; what is shown is that request.")
	}
	if p.mediaType == "application/json" {
		p.mediaType = "application/json; charset=utf-8" // Slack warns without
	}
	return nil
}

// slackHost reports whether an address is Slack's, if the connector's endpoint is, or that of the endpoint.
func slackHost(u, base *url.URL) bool {
	if sameOrigin(u, base) {
		return true
	}
	of := func(host string) bool { return host == "slack.com" || strings.HasSuffix(host, ".slack.com") }
	return u.Scheme == "https" && u.User == nil && of(strings.ToLower(base.Hostname())) && of(strings.ToLower(u.Hostname()))
}

// slackError is what Slack says in the body of answers that all have the status 200.
type slackError struct {
	OK       *bool  `json:"ok"`
	Error    string `json:"error"`
	Needed   string `json:"needed"`
	Provided string `json:"provided"`
	Metadata struct {
		Messages []string `json:"messages"`
	} `json:"response_metadata"`
}

func slackSays(a *answer) (slackError, bool) {
	var e slackError
	if json.Unmarshal(a.body, &e) != nil || e.OK == nil || *e.OK {
		return e, false
	}
	return e, true
}

func slackUnauthorized(a *answer) bool {
	e, failed := slackSays(a)
	if !failed {
		return false
	}
	switch e.Error {
	case "invalid_auth", "not_authed", "account_inactive", "token_expired", "token_revoked":
		return true
	}
	return false
}

// slackFinish turns ok:false into an error.
func slackFinish(r *run, a *answer) error {
	e, failed := slackSays(a)
	if !failed {
		return nil
	}
	said := e.Error
	if e.Needed != "" {
		said += ", needed scope " + e.Needed
	}
	if len(e.Metadata.Messages) > 0 {
		said += ": " + strings.Join(e.Metadata.Messages[:min(len(e.Metadata.Messages), 5)], "; ")
	}
	said = r.hide(said)
	said = said[:min(len(said), maxSaid)]
	code := VendorInvalid
	switch {
	case e.Error == "ratelimited" || e.Error == "rate_limited":
		code = VendorThrottled
	case strings.HasSuffix(e.Error, "_not_found") || strings.HasPrefix(e.Error, "no_such"):
		code = VendorNotFound
	case e.Error == "missing_scope", e.Error == "not_in_channel", e.Error == "access_denied", e.Error == "no_permission",
		e.Error == "not_allowed_token_type", e.Error == "restricted_action", e.Error == "ekm_access_denied", e.Error == "not_allowed":
		code = VendorDenied
	case e.Error == "name_taken", strings.HasPrefix(e.Error, "already_"):
		code = VendorConflict
	case e.Error == "internal_error", e.Error == "fatal_error", e.Error == "service_unavailable", e.Error == "request_timeout":
		code = VendorFailed
	}
	out := quoting(code, said, "%s says no, as Slack does with status %d", who(r.plan.connector), a.status)
	out.Status, out.RetryAfter = a.status, retryAfter(a.header, r.engine.Now())
	return out
}

// slackPerform makes the two requests of uploads and downloads.
func slackPerform(ctx context.Context, r *run, base *url.URL) (*answer, bool, error) {
	switch r.plan.action.ID {
	case "UploadToURLExternal":
		return nil, false, slackUpload(ctx, r)
	case "DownloadFile":
		a, err := slackDownload(ctx, r, base)
		return a, true, err
	}
	return nil, false, nil
}

// slackUpload sends the content to where Slack said. The address is a secret by itself, so no credentials go
// there.
func slackUpload(ctx context.Context, r *run) error {
	p := r.plan
	target, err := url.Parse(p.text("upload_url"))
	if err != nil {
		return failure(InvalidArguments, err, "The upload_url of %s is no URL.", p.action.ID)
	}
	content, problem := p.bytes("content")
	if problem != nil {
		return invalid(p.action.ID, *problem)
	}
	a, err := r.send(ctx, &request{method: http.MethodPost, url: target, body: content,
		header: http.Header{"Content-Type": {"application/octet-stream"}, "User-Agent": {r.engine.UserAgent}}})
	if err != nil {
		return err
	}
	if a.status < 200 || a.status > 299 {
		return r.refusal(a)
	}
	return nil
}

// slackDownload reads where the file is and then the file, which Slack gives only with the token.
func slackDownload(ctx context.Context, r *run, base *url.URL) (*answer, error) {
	p := r.plan
	info, err := r.read(ctx, base, "/files.info?file="+component(p.text("file")))
	if err != nil {
		return nil, err
	}
	if err := slackFinish(r, info); err != nil {
		return nil, err
	}
	where := scalar(lookup(info.body, "/file/url_private"))
	target, err := url.Parse(where)
	if err != nil || where == "" {
		return nil, failure(UnexpectedAnswer, err, "%s does not say where the file %q is.", who(p.connector), p.text("file"))
	}
	if !slackHost(target, base) {
		return nil, failure(AddressRefused, nil, "%s says that the file is at %s, which is not Slack's and gets no credentials.", who(p.connector), target.Host)
	}
	a, err := r.send(ctx, &request{method: http.MethodGet, url: target, header: http.Header{"User-Agent": {r.engine.UserAgent}}, read: true, origin: target})
	if err != nil {
		return nil, err
	}
	if a.status < 200 || a.status > 299 {
		return nil, r.refusal(a)
	}
	if a.html() && !strings.Contains(scalar(lookup(info.body, "/file/mimetype")), "html") {
		return nil, r.unexpected(a) // Slack's page for signing in: the token may not read files
	}
	a.isJSON = false
	return a, nil
}
