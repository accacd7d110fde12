// Package secret seals values at rest and keeps them out of logs (invariant 8).
//
// A Box encrypts with AES-256-GCM under the key file of the data directory; what it seals is bound to a
// purpose, so a value copied to another place does not open there. Text is a string that prints as
// "[redacted]" through fmt, slog and encoding/json.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
)

// KeySize is the length of a key file in bytes.
const KeySize = 32

// Text is a secret in memory. Reveal is the only way to its content.
type Text struct{ value string }

// NewText wraps s.
func NewText(s string) Text { return Text{s} }

// Reveal returns the content. Its callers are the places to review.
func (t Text) Reveal() string { return t.value }

// Empty reports whether there is no secret.
func (t Text) Empty() bool { return t.value == "" }

const redacted = "[redacted]"

func (t Text) String() string               { return redacted }
func (t Text) GoString() string             { return redacted }
func (t Text) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (t Text) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// Sealed is ciphertext: what may be stored.
type Sealed []byte

// Box seals and opens values. It is safe for concurrent use.
type Box struct{ aead cipher.AEAD }

// NewBox makes a Box from a key of KeySize bytes.
func NewBox(key []byte) (*Box, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return &Box{aead}, nil
}

// Seal encrypts t for the given purpose, a stable text such as "cluster/password/<id>".
func (b *Box) Seal(purpose string, t Text) Sealed {
	return b.aead.Seal(nil, nil, []byte(t.value), []byte(purpose))
}

// Open decrypts what Seal made for the same purpose. An error means a wrong key or altered data.
func (b *Box) Open(purpose string, s Sealed) (Text, error) {
	plain, err := b.aead.Open(nil, nil, s, []byte(purpose))
	if err != nil {
		return Text{}, fmt.Errorf("open sealed value for %s: %w", purpose, err)
	}
	return Text{string(plain)}, nil
}

// LoadOrCreateKey reads the key file at path, or makes one with mode 0600. The new file is complete and
// on disk before it gets its name, so a crash leaves either no key or a whole one.
func LoadOrCreateKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err == nil {
		if len(key) != KeySize {
			return nil, fmt.Errorf("key file %s has %d bytes, want %d", path, len(key), KeySize)
		}
		return key, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	key = make([]byte, KeySize)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*") // created 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp.Name()) // gone already when the rename succeeded
	if _, err := tmp.Write(key); err != nil {
		return nil, errors.Join(err, tmp.Close())
	}
	if err := errors.Join(tmp.Sync(), tmp.Close()); err != nil {
		return nil, err
	}
	return key, os.Rename(tmp.Name(), path)
}
