package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"runtime"
	"time"
	"unsafe"
)

// Mapping is a compiled mapping, for the attributes of new accounts. It may be used from any goroutine and from several at
// once, and lives as long as anybody does.
type Mapping struct {
	pointer *cMapping
}

// CompileMapping compiles a mapping, a list of rules as an app has it. It fails with one error that lists every fault.
func CompileMapping(rules any) (*Mapping, error) {
	mapping := new(Mapping)
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(rules)
		return C.rollkeeper_mapping_compile(text, length, &mapping.pointer, failure)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(mapping, func(mapping *Mapping) { C.rollkeeper_mapping_free(mapping.pointer) })
	return mapping, nil
}

// Render gives the attributes of a new account for a user: those of [Render] without current and last, and much faster. It
// fails with one error that lists every fault.
func (m *Mapping) Render(user any, now time.Time) (json.RawMessage, error) {
	defer runtime.KeepAlive(m)
	var payload []byte
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(user)
		moment := a.optional(moment(now))
		// What is written is rarely longer than what it is made of; where it is, the second call has room enough.
		for room := length + 1; ; {
			payload = make([]byte, room)
			var needed C.size_t
			status := C.rollkeeper_mapping_render(m.pointer, text, length, moment, (*C.char)(unsafe.Pointer(&payload[0])), room, &needed, failure)
			if status != C.ROLLKEEPER_OK || needed < room {
				payload = payload[:needed]
				return status
			}
			room = needed + 1
		}
	})
	if err != nil {
		return nil, err
	}
	return payload, nil
}

// RenderLines does so for many users, one a line, and gives one line for each, in their order: {"attributes":…}, or
// {"faults":[…]} with the faults of that user alone. A line break at the very end begins no further line; a line without a
// user is one with a fault.
func (m *Mapping) RenderLines(users []byte, now time.Time) ([]byte, error) {
	defer runtime.KeepAlive(m)
	text, err := textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		users, length := a.document(users)
		return C.rollkeeper_mapping_render_lines(m.pointer, users, length, a.optional(moment(now)), out, nil, failure)
	})
	return []byte(text), err
}
