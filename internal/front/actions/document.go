package actions

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/penstock-io/penstock/internal/action"
	"github.com/penstock-io/penstock/internal/fault"
)

func (f *Front) document(r *request, id string) (any, int, action.Result, error) {
	ctx, account := r.Context(), r.caller.Account
	switch r.Method {
	case http.MethodPut:
		content, err := inJSON(r.body)
		if err == nil {
			err = f.actions.PutDocument(ctx, r.caller, account, id, content)
		}
		return nil, 0, action.Result{}, err
	case http.MethodDelete:
		return nil, 0, action.Result{}, f.actions.DeleteDocument(ctx, r.caller, account, id)
	default:
		d, err := f.actions.Document(ctx, r.caller, account, id)
		if err != nil {
			return nil, 0, action.Result{}, err
		}
		return rawJSON(d.Content), http.StatusOK, action.Result{}, nil
	}
}

// rawJSON is JSON that is written as it is.
type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

// inJSON returns a document in JSON, which it is, or made from YAML: most vendors give theirs so.
func inJSON(text []byte) ([]byte, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 {
		return nil, fault.New(fault.Invalid, action.SubjectDocument, "the body is empty; send the OpenAPI document, in JSON or YAML")
	}
	if text[0] == '{' {
		return text, nil
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		return nil, fault.New(fault.Invalid, action.SubjectDocument, "the document is neither JSON nor YAML: %v", err)
	}
	v = plain(v)
	if _, ok := v.(map[string]any); !ok {
		return nil, fault.New(fault.Invalid, action.SubjectDocument, "the document is neither a JSON object nor a mapping in YAML; is the file's name preceded by @ (--data-binary @openapi.yaml)?")
	}
	out, err := json.Marshal(v)
	if err != nil { // a number that JSON does not have
		return nil, fault.New(fault.Invalid, action.SubjectDocument, "the document's YAML cannot be put into JSON: %v", err)
	}
	return out, nil
}

// plain makes of what YAML has what JSON has: keys that are numbers, as those of responses, are text, and so are dates.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	case map[any]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[fmt.Sprint(plain(k))] = plain(v[k])
		}
		return out
	case []any:
		for n := range v {
			v[n] = plain(v[n])
		}
	case time.Time:
		if v.Equal(v.Truncate(24 * time.Hour)) {
			return v.Format(time.DateOnly)
		}
		return v.Format(time.RFC3339Nano)
	}
	return v
}
