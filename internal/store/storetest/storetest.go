// Package storetest is what every implementation of the domains' Store interfaces must do, as tests: one function
// for each domain. A store is done when a test of ten lines calls them.
//
// Memory is the reference implementation, for the tests of other packages.
package storetest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/penstock-io/penstock/internal/fault"
)

// Open opens the store called name and returns it with what closes it. Within one test the same name is the same
// store, so that a test can close it and look what is left.
type Open[S any] func(t *testing.T, name string) (_ S, closeStore func() error)

// fresh opens an empty store and closes it at the end of the test.
func fresh[S any](t *testing.T, open Open[S]) S {
	t.Helper()
	s, closeStore := open(t, "store")
	t.Cleanup(func() {
		if err := closeStore(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// reopened opens a store, fills it, closes it and opens it again.
func reopened[S any](t *testing.T, open Open[S], use func(S)) S {
	t.Helper()
	s, closeStore := open(t, "store")
	use(s)
	if err := closeStore(); err != nil {
		t.Fatalf("close: %v", err)
	}
	return fresh(t, open)
}

// calls checks what every method of every store does: a cancelled context is an error of kind Canceled and
// changes nothing, and a closed store answers Unavailable.
func calls[S any](t *testing.T, open Open[S], methods map[string]func(ctx context.Context, s S) error, untouched func(t *testing.T, s S)) {
	t.Run("cancelled", func(t *testing.T) {
		s := fresh(t, open)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for name, call := range methods {
			if err := call(ctx, s); fault.KindOf(err) != fault.Canceled {
				t.Errorf("%s: err = %v, want Canceled", name, err)
			}
		}
		untouched(t, s)
	})
	t.Run("closed", func(t *testing.T) {
		s, closeStore := open(t, "store")
		if err := closeStore(); err != nil {
			t.Fatal(err)
		}
		for name, call := range methods {
			if err := call(t.Context(), s); fault.KindOf(err) != fault.Unavailable {
				t.Errorf("%s: err = %v, want Unavailable", name, err)
			}
		}
	})
}

// together runs f in n goroutines that start at the same moment, and returns their errors.
func together(n int, f func(n int) error) []error {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	errs := make([]error, n)
	for k := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			errs[k] = f(k)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return errs
}

// oneWins checks that exactly one of errs is nil and that the others are of the given kind.
func oneWins(t *testing.T, errs []error, kind fault.Kind) {
	t.Helper()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case fault.KindOf(err) != kind:
			t.Errorf("err = %v, want %v", err, kind)
		}
	}
	if won != 1 {
		t.Errorf("%d calls succeeded, want 1", won)
	}
}

// wants fails the test unless err is of the given kind and subject.
func wants(t *testing.T, err error, kind fault.Kind, subject string) {
	t.Helper()
	if !fault.Is(err, kind, subject) {
		t.Errorf("err = %v, want %v about %q", err, kind, subject)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails the test unless got and want are deeply equal. It names the fields that differ.
func same(t *testing.T, got, want any) {
	t.Helper()
	if reflect.DeepEqual(got, want) {
		return
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	if g.Kind() == reflect.Struct && g.Type() == w.Type() {
		for n := range g.NumField() {
			if !reflect.DeepEqual(g.Field(n).Interface(), w.Field(n).Interface()) {
				t.Errorf("%s.%s = %#v, want %#v", g.Type().Name(), g.Type().Field(n).Name, g.Field(n).Interface(), w.Field(n).Interface())
			}
		}
		return
	}
	t.Errorf("got  %+v\nwant %+v", got, want)
}

var errRefused = errors.New("refused by the test")

// at is a time of the tests: n seconds after their epoch, with nanoseconds.
func at(n int) time.Time { return time.Unix(1_800_000_000+int64(n), 123_456_789).UTC() }

// Full returns a T whose every field, however deep, is not zero. Values differ from one another and from those of
// another seed, so that swapped columns show.
func Full[T any](seed int) T {
	var v T
	fill(reflect.ValueOf(&v).Elem(), &seed)
	return v
}

func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(at(*n)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d \"ü\"", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint8:
		v.SetUint(uint64(*n%3 + 1))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for k := range 2 {
			fill(v.Index(k), n)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range 2 {
			key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fill(key, n)
			fill(value, n)
			v.SetMapIndex(key, value)
		}
	case reflect.Struct:
		for k := range v.NumField() {
			fill(v.Field(k), n)
		}
	default:
		panic(fmt.Sprintf("fill does not know %s", v.Type()))
	}
}
