package relay

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"

	"github.com/google/uuid"
)

// refuse answers with an error in the service's own form.
func (r *Relay) refuse(w http.ResponseWriter, in *http.Request, err error) {
	id := uuid.NewString()
	var refusal *Error
	if !errors.As(err, &refusal) {
		r.Log.Error("relayed request failed", "method", in.Method, "path", in.URL.Path, "request_id", id, "error", err)
		refusal = &Error{http.StatusInternalServerError, "InternalError", "An internal error occurred; the server's log has the details under this request id."}
	}
	var body []byte
	header := w.Header()
	if r.Service == S3 {
		header.Set("Content-Type", "application/xml")
		header.Set("X-Amz-Request-Id", id)
		type document struct {
			XMLName                            xml.Name `xml:"Error"`
			Code, Message, Resource, RequestId string
		}
		body, _ = xml.Marshal(document{Code: refusal.Code, Message: refusal.Message, Resource: in.URL.Path, RequestId: id})
		body = append([]byte(xml.Header), body...)
	} else {
		header.Set("Content-Type", "application/x-amz-json-1.0")
		header.Set("X-Amzn-Requestid", id)
		body, _ = json.Marshal(map[string]string{"__type": "com.amazon.coral.service#" + refusal.Code, "message": refusal.Message})
	}
	header.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(refusal.Status)
	if in.Method != http.MethodHead {
		_, _ = w.Write(body) // the client may have gone
	}
}
