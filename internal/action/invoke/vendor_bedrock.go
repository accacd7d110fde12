package invoke

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/protocol/eventstream"

	"github.com/penstock-io/penstock/internal/action/catalog"
)

// agentFinish joins the event stream of an agent: the chunks of its answer become one completion.
func agentFinish(r *run, a *answer) error {
	if r.plan.action.Answer != catalog.AnswerEventStream || a.mediaType() != "application/vnd.amazon.eventstream" {
		return nil
	}
	var completion strings.Builder
	out := map[string]any{}
	decoder, stream := eventstream.NewDecoder(), bytes.NewReader(a.body)
	for {
		message, err := decoder.Decode(stream, nil)
		if errors.Is(err, io.EOF) && stream.Len() == 0 {
			break
		}
		if err != nil {
			e := failure(UnexpectedAnswer, err, "%s sent an event stream that breaks off.", who(r.plan.connector))
			e.Status, e.Unknown = a.status, r.plan.action.Write
			return e
		}
		kind, event := header(message, ":message-type"), header(message, ":event-type")
		if kind == "exception" || kind == "error" {
			said := strings.Join(sayings(jsonOf(message.Payload), 0), "; ")
			name := header(message, ":exception-type") + header(message, ":error-code")
			e := quoting(agentCode(name), r.hide(said), "%s broke its answer off: %s", who(r.plan.connector), name)
			e.Status, e.Unknown = a.status, r.plan.action.Write
			return e
		}
		switch event {
		case "chunk":
			var chunk struct {
				Bytes       []byte          `json:"bytes"`
				Attribution json.RawMessage `json:"attribution"`
			}
			if json.Unmarshal(message.Payload, &chunk) == nil {
				completion.Write(chunk.Bytes)
				if len(chunk.Attribution) > 0 {
					collect(out, "attributions", jsonOf(chunk.Attribution))
				}
			}
		case "trace":
			collect(out, "traces", jsonOf(message.Payload))
		case "":
		default: // files, returnControl
			collect(out, event, jsonOf(message.Payload))
		}
	}
	out["completion"] = completion.String()
	for name, member := range map[string]string{"X-Amz-Bedrock-Agent-Session-Id": "sessionId", "X-Amz-Bedrock-Agent-Memory-Id": "memoryId"} {
		if v := a.header.Get(name); v != "" {
			out[member] = v
		}
	}
	return a.setJSON(out)
}

func agentCode(name string) Code {
	switch {
	case strings.Contains(strings.ToLower(name), "throttling"), strings.Contains(strings.ToLower(name), "quota"):
		return VendorThrottled
	case strings.Contains(strings.ToLower(name), "validation"):
		return VendorInvalid
	case strings.Contains(strings.ToLower(name), "accessdenied"):
		return VendorDenied
	case strings.Contains(strings.ToLower(name), "notfound"):
		return VendorNotFound
	case strings.Contains(strings.ToLower(name), "conflict"):
		return VendorConflict
	}
	return VendorFailed
}

func header(m eventstream.Message, name string) string {
	if v := m.Headers.Get(name); v != nil {
		return v.String()
	}
	return ""
}

func jsonOf(text []byte) any {
	v, err := decode(text)
	if err != nil {
		return string(text)
	}
	return v
}

func collect(out map[string]any, name string, v any) {
	list, _ := out[name].([]any)
	out[name] = append(list, v)
}
