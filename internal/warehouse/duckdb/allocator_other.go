//go:build !linux

package duckdb

// LimitFragmentation does nothing here; see its other form.
func LimitFragmentation() {}
