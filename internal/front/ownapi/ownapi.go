// Package ownapi is how the endpoints below /_penstock/ that are no API of AWS's take and give JSON: a body in, an
// object out, and for an error {"error": kind, "message": text} with a status to match. Who the caller is has been
// verified before.
package ownapi

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/penstock-io/penstock/internal/fault"
)

const maxBody = 64 << 10

// Read decodes a body, which may be empty, and answers the request itself if it cannot.
func Read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) {
		Refuse(w, fault.New(fault.Invalid, "body", "the body is not what is expected here: %v", err))
		return false
	}
	return true
}

// Answer sends v, or the error if there is one.
func Answer(w http.ResponseWriter, v any, err error) {
	if err != nil {
		Refuse(w, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a client that went away
}

// Refuse sends an error.
func Refuse(w http.ResponseWriter, err error) {
	status := http.StatusBadRequest
	switch fault.KindOf(err) {
	case fault.NotFound:
		status = http.StatusNotFound
	case fault.Unsupported:
		status = http.StatusMethodNotAllowed
	case fault.State, fault.AlreadyExists, fault.Conflict:
		status = http.StatusConflict
	case fault.Limit, fault.Throttled:
		status = http.StatusTooManyRequests
	case fault.Unavailable:
		status = http.StatusServiceUnavailable
	case fault.Internal:
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": fault.KindOf(err).String(), "message": fault.Message(err)}) // as above
}
