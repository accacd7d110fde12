package mcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/penstock-io/penstock/internal/identity"
)

// many is a toolbox of one caller with many tools, which counts how often they are listed.
type many struct {
	box
	listed int
}

func (m *many) Tools(ctx context.Context, caller identity.Caller) ([]Offer, error) {
	m.mu.Lock()
	m.listed++
	m.mu.Unlock()
	return m.box.Tools(ctx, caller)
}

func (m *many) lists() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listed
}

func numbered(n int) []Offer {
	out := make([]Offer, n)
	for i := range out {
		out[i] = offer(fmt.Sprintf("jira%05d_GetIssue", n-i))
	}
	return out
}

func TestPagesOfTools(t *testing.T) {
	t.Parallel()
	m := &many{}
	m.set("ann", numbered(2500)...)
	h := New(Config{Toolbox: m, Fresh: time.Hour})
	c := h.newCaller(identity.Caller{UserID: "ann"})
	var got []string
	after := ""
	for sizes := []int{1000, 1000, 500}; len(sizes) > 0; sizes = sizes[1:] {
		page, more, err := c.page(t.Context(), after)
		if err != nil || len(page) != sizes[0] || (more == "") != (len(sizes) == 1) {
			t.Fatalf("a page of %d, more %q (%v), want %d", len(page), more, err, sizes[0])
		}
		for _, tool := range page {
			got = append(got, tool.Name)
		}
		if after == "" { // a change within the pages is for the next list
			m.set("ann", numbered(3)...)
			h.Changed()
		}
		after = more
	}
	if !slices.IsSorted(got) || len(slices.Compact(got)) != 2500 || m.lists() != 1 {
		t.Errorf("%d names, listed %d times", len(got), m.lists())
	}
	if page, _, err := c.page(t.Context(), ""); err != nil || len(page) != 3 || m.lists() != 2 {
		t.Errorf("after a change: %d tools, listed %d times (%v)", len(page), m.lists(), err)
	}
	if page, more, err := c.page(t.Context(), "zzz"); err != nil || len(page) != 0 || more != "" {
		t.Errorf("after the last: %d tools, %q (%v)", len(page), more, err)
	}
	// Nothing has changed and the list is fresh: it is not made again, neither for lists nor for calls.
	for range 3 {
		if tool, err := c.find(t.Context(), "jira00001_GetIssue"); err != nil || tool == nil || tool.Ref != (Ref{"jira00001", "GetIssue"}) {
			t.Errorf("%+v %v", tool, err)
		}
		if tool, err := c.find(t.Context(), "none"); err != nil || tool != nil {
			t.Errorf("%+v %v", tool, err)
		}
	}
	if m.lists() != 2 {
		t.Errorf("listed %d times", m.lists())
	}
}

// The tools of a caller that cannot be listed now are an error, and listed when they can.
func TestToolsThatCannotBeListed(t *testing.T) {
	t.Parallel()
	m := &many{}
	m.set("ann", offer("a_one"))
	m.err = errors.New("secret detail")
	h := New(Config{Toolbox: m})
	c := h.newCaller(identity.Caller{UserID: "ann"})
	if _, _, err := c.page(t.Context(), ""); err == nil || err.Error() == "secret detail" {
		t.Errorf("err = %v", err)
	}
	m.mu.Lock()
	m.err = nil
	m.mu.Unlock()
	if page, _, err := c.page(t.Context(), ""); err != nil || len(page) != 1 {
		t.Errorf("%d tools (%v)", len(page), err)
	}
}

// The tool that stands for all others is none that a client can list or call, and a cursor is only what was given.
func TestMarkerIsNoTool(t *testing.T) {
	t.Parallel()
	b := &box{}
	b.set("ann", offer("a_one"))
	_, server := serve(t, b)
	s := connect(t, server.URL, "ann", nil)
	if got := names(t, s); !slices.Equal(got, []string{"a_one"}) {
		t.Errorf("tools %v", got)
	}
	if got, err := s.CallTool(t.Context(), &sdk.CallToolParams{Name: marker}); err == nil || len(b.calls) > 0 {
		t.Errorf("the marker was called: %+v", got)
	}
	if got, err := s.ListTools(t.Context(), &sdk.ListToolsParams{Cursor: "%"}); err == nil {
		t.Errorf("a cursor of nobody's: %+v", got)
	}
	if got, err := s.ListTools(t.Context(), nil); err != nil || got.CacheScope != "private" || got.NextCursor != "" {
		t.Errorf("%+v %v", got, err)
	}
}

func BenchmarkFirstPage(b *testing.B) {
	m := &many{}
	m.set("ann", numbered(100_000)...)
	h := New(Config{Toolbox: m, Fresh: time.Nanosecond})
	c := h.newCaller(identity.Caller{UserID: "ann"})
	for b.Loop() {
		if _, _, err := c.page(b.Context(), ""); err != nil {
			b.Fatal(err)
		}
	}
}
