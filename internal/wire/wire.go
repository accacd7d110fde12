// Package wire answers AWS requests over HTTP.
package wire
