package sourcetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// When says when a request fails.
type When int

// The times.
const (
	Before When = iota // it is not made
	After              // it is made, and has its effect, and nobody hears of it
)

// Fault is how requests fail. The first of Answer, Cut and Hang that is set counts; without any there is a
// network error.
type Fault struct {
	Answer *http.Response // in place of the real one; its body is served again and again from Body
	Body   string         // of Answer
	Cut    bool           // After: the answer ends in its middle
	Hang   bool           // nothing happens until the request is given up
}

// Refuse is the fault of an error answer in DynamoDB's form.
func Refuse(status int, code string) Fault {
	return Fault{Answer: &http.Response{StatusCode: status}, Body: `{"__type":"com.amazonaws.dynamodb.v20120810#` + code + `","message":"as the test wants it"}`}
}

// ErrInjected is the network error of a fault.
var ErrInjected = errors.New("connection reset by the test")

// Faults is an http.RoundTripper that makes some requests fail. Requests are told apart by their operation, as
// X-Amz-Target names it; an empty one is any.
type Faults struct {
	Next http.RoundTripper

	mu     sync.Mutex
	rules  []*faultRule
	chance float64
	rand   *rand.Rand
	counts map[string]int
	hung   chan string
}

type faultRule struct {
	op    string
	after int
	n     int // below 0: for ever
	when  When
	fault Fault
}

// NewFaults returns a transport over another in which nothing fails yet.
func NewFaults(next http.RoundTripper) *Faults {
	return &Faults{Next: next, counts: map[string]int{}, hung: make(chan string, 1000)}
}

// Fail makes the n requests for an operation fail that come behind the next skip ones; n below 0 is all of them
// until Clear.
func (f *Faults) Fail(op string, skip, n int, when When, fault Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &faultRule{op, skip, n, when, fault})
}

// Sometimes makes requests fail at random, before or after, with a network error, an error of the server, or
// throttling.
func (f *Faults) Sometimes(chance float64, seed uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chance, f.rand = chance, rand.New(rand.NewPCG(seed, seed))
}

// Clear takes everything back.
func (f *Faults) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules, f.chance = nil, 0
}

// Count is how many requests for an operation there have been.
func (f *Faults) Count(op string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[op]
}

// Hung gets the operation of each request that hangs, when it begins to.
func (f *Faults) Hung() <-chan string { return f.hung }

// pick returns the fault of a request, if it is to have one.
func (f *Faults) pick(op string) (fault Fault, when When, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts[op]++
	for i, r := range f.rules {
		if r.op != "" && r.op != op {
			continue
		}
		if r.after > 0 {
			r.after--
			continue
		}
		if r.n > 0 {
			if r.n--; r.n == 0 {
				f.rules = append(f.rules[:i], f.rules[i+1:]...)
			}
		}
		return r.fault, r.when, true
	}
	if f.chance == 0 || f.rand.Float64() >= f.chance {
		return Fault{}, Before, false
	}
	some := []Fault{{}, Refuse(http.StatusInternalServerError, "InternalServerError"), Refuse(http.StatusBadRequest, "ProvisionedThroughputExceededException"), {Cut: true}}
	fault, when = some[f.rand.IntN(len(some))], When(f.rand.IntN(2))
	if fault.Cut {
		when = After
	}
	return fault, when, true
}

// RoundTrip implements http.RoundTripper.
func (f *Faults) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	fault, when, ok := f.pick(op)
	if !ok {
		return f.Next.RoundTrip(r)
	}
	var body []byte
	if when == After {
		res, err := f.Next.RoundTrip(r)
		if err != nil {
			return nil, err
		}
		defer res.Body.Close()
		if body, err = io.ReadAll(res.Body); err != nil {
			return nil, err
		}
		if fault.Cut {
			res.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body[:len(body)/2]), failing{}))
			return res, nil
		}
	} else if r.Body != nil {
		_ = r.Body.Close()
	}
	switch {
	case fault.Answer != nil:
		res := *fault.Answer
		res.Header, res.Body = http.Header{}, io.NopCloser(strings.NewReader(fault.Body))
		for name, values := range fault.Answer.Header {
			res.Header[name] = values
		}
		res.ContentLength, res.Request = int64(len(fault.Body)), r
		return &res, nil
	case fault.Hang:
		f.hung <- op
		<-r.Context().Done()
		return nil, context.Cause(r.Context())
	}
	return nil, ErrInjected
}

// failing is the end of an answer that was cut.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
