package dynamodb

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// TestEnsureStream looks at what becomes of tables in every state.
func TestEnsureStream(t *testing.T) {
	refuse := func(code string, times int) func(*fake) {
		return func(f *fake) {
			f.view = "none"
			f.answer = func(op string) (int, string) {
				if op != "UpdateTable" || times == 0 {
					return 0, ""
				}
				times--
				return http.StatusBadRequest, `{"__type":"x#` + code + `","message":"no"}`
			}
		}
	}
	none := func(f *fake) { f.view = "none" }
	for _, tc := range []struct {
		name    string
		manage  bool
		fake    func(*fake)
		asked   int // for a stream
		within  time.Duration
		kind    fault.Kind // of the error, if there is a subject
		subject string
		text    string
	}{
		{name: "there", fake: func(*fake) {}},
		{name: "there and managed", manage: true, fake: func(*fake) {}},
		{name: "not enabled yet", fake: func(f *fake) { f.ready = f.now().Add(5 * time.Second) }, within: 8 * time.Second},
		{name: "none", fake: none, kind: fault.State, subject: SubjectStream, text: "--manage-streams"},
		{name: "none and managed", manage: true, fake: none, asked: 1, within: 6 * time.Second},
		{name: "being created", manage: true, fake: func(f *fake) {
			f.status, f.view = "CREATING", "none"
			time.AfterFunc(5*time.Second, func() { f.edit(func() { f.status = "" }) })
		}, asked: 1, within: 12 * time.Second},
		{name: "being changed", manage: true, fake: refuse(codeInUse, 2), asked: 3, within: 6 * time.Second},
		{name: "somebody else was first", manage: true, fake: func(f *fake) {
			refuse(codeValidation, 1)(f)
			answer := f.answer
			f.answer = func(op string) (int, string) {
				if op == "UpdateTable" {
					f.view = viewBoth
				}
				return answer(op)
			}
		}, asked: 1},
		{name: "refused", manage: true, fake: refuse(codeValidation, 9), asked: 1, kind: fault.Invalid, subject: SubjectTable, text: "UpdateTable"},
		{name: "not allowed", manage: true, fake: refuse("AccessDeniedException", 9), asked: 1, kind: fault.Denied, subject: SubjectAccess, text: "dynamodb:UpdateTable"},
		{name: "of another kind", manage: true, fake: func(f *fake) { f.view = "KEYS_ONLY" }, kind: fault.State, subject: SubjectStream, text: "disable it first"},
		{name: "being deleted", manage: true, fake: func(f *fake) { f.status = "DELETING" }, kind: fault.NotFound, subject: SubjectTable, text: "deleted"},
		{name: "never", manage: true, fake: func(f *fake) { f.ready = f.now().Add(time.Hour) }, within: enableTimeout + 3*time.Second, kind: fault.Unavailable, subject: SubjectStream, text: "5m"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{shards: []fakeShard{{id: "a"}}}
				tc.fake(f)
				s := f.source(t, func(c *Config) { c.ManageStreams = tc.manage })
				began := time.Now()
				err := s.EnsureStream(t.Context())
				switch {
				case tc.subject == "" && err != nil:
					t.Error(err)
				case tc.subject != "" && (!fault.Is(err, tc.kind, tc.subject) || !strings.Contains(fault.Message(err), tc.text)):
					t.Errorf("%v, want %v about %s with %q", err, tc.kind, tc.subject, tc.text)
				}
				if took := time.Since(began); took > max(tc.within, time.Second) {
					t.Errorf("it took %v", took)
				}
				if n := len(f.times("UpdateTable")); n != tc.asked {
					t.Errorf("a stream was asked for %d times, want %d", n, tc.asked)
				}
				if tc.asked > 0 && tc.subject == "" {
					if _, err := s.Describe(t.Context()); err != nil {
						t.Error(err)
					}
				}
			})
		})
	}
}
