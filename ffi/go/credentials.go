package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"strconv"
	"time"
	"unsafe"
)

// Credentials are what is known of an app's credentials: kinds, places and times, never a secret.
type Credentials struct {
	Record
	// Kind is none, bearer, basic or oauth2.
	Kind string `json:"kind"`
	// Ready says whether a request could be sent with them now, as far as is known without asking anybody.
	Ready bool `json:"ready"`
	// Secrets are those that they need.
	Secrets []SecretState `json:"secrets"`
	// IssuedAt says when the access token in use was given.
	IssuedAt *time.Time `json:"issued_at,omitempty"`
	// Age is how long ago that was, as ISO 8601.
	Age string `json:"age,omitempty"`
	// TokenExpiresAt says when the access token in use ends. It is renewed before.
	TokenExpiresAt *time.Time `json:"token_expires_at,omitempty"`
	// ExpiresAt says when what a person has to give anew ends.
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	// Fault says why no token can be had.
	Fault *Fault `json:"fault,omitempty"`
}

// SecretState is what is known of one secret.
type SecretState struct {
	// Field of the definition that names it.
	Field string `json:"field"`
	// Source is secret, env, file or sealed.
	Source string `json:"source"`
	// Name is its name there.
	Name string `json:"name"`
	// Available says whether it can be had.
	Available bool `json:"available"`
	// SetAt says when it was put into the store.
	SetAt *time.Time `json:"set_at,omitempty"`
}

// SetSecret puts a secret of an app into the store, for {"sealed": name} in its definition; the empty string erases it. It
// is sealed under the engine's key. An app may be put after its secrets. It fails with ErrKeyRequired where the engine has
// no key.
func (e *Engine) SetSecret(app, name, value, by string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return plainCall(func(a *arguments, failure **cError) cStatus {
		var text *C.char
		var length C.size_t
		if value != "" {
			text, length = a.document(value)
		}
		return C.rollkeeper_engine_set_secret(e.pointer, a.name(app), a.name(name), text, length, a.optional(by), failure)
	})
}

// Credentials gives what is known of an app's credentials. Nobody is asked. It fails with ErrNotFound.
func (e *Engine) Credentials(app string) (Credentials, error) {
	return read[Credentials](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_credentials(engine, a.name(app), out, failure)
	}))
}

// RotateKey gives the file another key: everything that the old one seals is sealed under the new one, in one transaction.
// Nil stands for a file without a key. Other processes that have the file open must open it anew. It fails with
// ErrKeyMissing where old is not the file's key.
func (e *Engine) RotateKey(old, new []byte, by string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	// Checked before the call: a file must not get a key that nobody has.
	for _, key := range [][]byte{old, new} {
		if key != nil && len(key) != 32 {
			message := "a key has 32 bytes, not " + strconv.Itoa(len(key))
			return &Error{Code: ErrInvalidArgument, Kind: "caller", Retry: "never", Message: message}
		}
	}
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_engine_rotate_key(e.pointer, a.key(old), a.key(new), a.optional(by), failure)
	})
}

// key copies a key for C; nil becomes NULL.
func (a *arguments) key(key []byte) *C.uint8_t {
	if key == nil {
		return nil
	}
	copied := C.CBytes(key)
	a.held = append(a.held, unsafe.Pointer(copied))
	return (*C.uint8_t)(copied)
}
