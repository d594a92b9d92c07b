package rollkeeper

/*
#cgo CFLAGS: -I${SRCDIR}/include
#cgo !rollkeeper_pkgconfig LDFLAGS: -L${SRCDIR}/lib -lrollkeeper -lm -ldl -lpthread
#cgo rollkeeper_pkgconfig pkg-config: rollkeeper
#include <stdlib.h>
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"strings"
	"unsafe"
)

type (
	cStatus   = C.rollkeeper_status
	cEngine   = C.rollkeeper_engine
	cIterator = C.rollkeeper_iterator
	cError    = C.rollkeeper_error
	cMapping  = C.rollkeeper_mapping
)

// arguments holds what is handed to C for the time of one call, and the first thing that is wrong with it.
type arguments struct {
	held []unsafe.Pointer
	err  error
}

func (a *arguments) free() {
	for _, pointer := range a.held {
		C.free(pointer)
	}
}

// refuse keeps the first thing that is wrong.
func (a *arguments) refuse(code Code, message string, cause error) {
	if a.err == nil {
		a.err = &Error{Code: code, Kind: "caller", Retry: "never", Message: message, cause: cause}
	}
}

// name copies a string for C. C would end it at a NUL and take it for another name, so such a string is replaced by one
// that the library refuses.
func (a *arguments) name(text string) *C.char {
	if strings.IndexByte(text, 0) >= 0 {
		a.refuse(ErrInvalidArgument, "a name holds a NUL character", nil)
		text = "\xff"
	}
	copied := C.CString(text)
	a.held = append(a.held, unsafe.Pointer(copied))
	return copied
}

// optional is name for what may be left out; the empty string becomes NULL.
func (a *arguments) optional(text string) *C.char {
	if text == "" {
		return nil
	}
	return a.name(text)
}

// document writes a value as JSON, unless it is JSON text already.
func (a *arguments) document(value any) (*C.char, C.size_t) {
	var text []byte
	switch given := value.(type) {
	case string:
		text = []byte(given)
	case []byte:
		text = given
	case json.RawMessage:
		text = given
	default:
		written, err := json.Marshal(value)
		if err != nil {
			// The empty text that goes out instead is no document, so that the call has no effect.
			a.refuse(ErrInvalidDocument, "the document cannot be written as JSON", err)
		}
		text = written
	}
	copied := C.CBytes(text)
	a.held = append(a.held, copied)
	return (*C.char)(copied), C.size_t(len(text))
}

// optionalDocument is document for what may be left out; nil becomes NULL.
func (a *arguments) optionalDocument(value any) (*C.char, C.size_t) {
	if value == nil {
		return nil, 0
	}
	return a.document(value)
}

// idOrDocument is name for a string and document for anything else; what it is not becomes NULL.
func (a *arguments) idOrDocument(value any) (*C.char, *C.char, C.size_t) {
	if id, ok := value.(string); ok {
		return a.name(id), nil, 0
	}
	text, length := a.document(value)
	return nil, text, length
}

// takeText copies text that C gave and frees it there.
func takeText(text *C.char) string {
	defer C.rollkeeper_string_free(text)
	return C.GoString(text)
}

// nextText is what a step through texts gave: nothing after the last.
func nextText(status cStatus, text **C.char, failure **cError) (*string, error) {
	switch status {
	case C.ROLLKEEPER_OK:
		taken := takeText(*text)
		return &taken, nil
	case C.ROLLKEEPER_DONE:
		return nil, nil
	default:
		return nil, takeError(*failure)
	}
}

// textCall makes a call that gives text.
func textCall(call func(a *arguments, out **C.char, failure **cError) cStatus) (string, error) {
	var out *C.char
	err := plainCall(func(a *arguments, failure **cError) cStatus { return call(a, &out, failure) })
	if err != nil {
		return "", err
	}
	return takeText(out), nil
}

// plainCall makes a call that gives nothing. What is wrong with an argument counts more than how the call failed for it.
func plainCall(call func(a *arguments, failure **cError) cStatus) error {
	var a arguments
	defer a.free()
	var failure *C.rollkeeper_error
	status := call(&a, &failure)
	switch {
	case a.err != nil:
		C.rollkeeper_error_free(failure)
		return a.err
	case status != C.ROLLKEEPER_OK:
		return takeError(failure)
	default:
		return nil
	}
}
