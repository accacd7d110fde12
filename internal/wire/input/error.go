// Package input judges what a request says: the constraints of the model, and the ways in which a
// message can fail to be one. The protocol decoders and the generated shapes use it; it knows neither
// HTTP nor the error codes of a service.
package input

import "fmt"

// Problem says how a message is bad.
type Problem uint8

const (
	Unreadable Problem = iota // not a message of the protocol: broken escapes, JSON that does not parse
	Mistyped                  // a message, but a member is of the wrong type or form
	Unknown                   // a member the operation does not have
	Invalid                   // a value outside the constraints of the model
)

// Error is what is wrong with a message, in words for the client.
type Error struct {
	Problem Problem
	Message string
}

// Errorf returns an *Error with a formatted message.
func Errorf(p Problem, format string, args ...any) *Error {
	return &Error{p, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return e.Message }

// echoLimit is how many bytes of a client's value are repeated to it in a message.
const echoLimit = 256

// Echo shortens a value of the client's for use in a message.
func Echo(s string) string {
	if len(s) <= echoLimit {
		return s
	}
	cut := echoLimit
	for cut > 0 && s[cut]&0xC0 == 0x80 { // not in the middle of a character
		cut--
	}
	return s[:cut] + "..."
}
