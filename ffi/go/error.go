package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"strings"
)

// Error says why a call failed. It never holds an attribute value or a secret.
type Error struct {
	// Code is the failure's stable name.
	Code Code `json:"code"`
	// Number is the failure's stable number; 0 where Go found the fault before the call.
	Number int `json:"number"`
	// Kind says whose fault it is: caller, configuration, target, store or ours.
	Kind string `json:"kind"`
	// Retry says whether trying again can help: now, later or never.
	Retry string `json:"retry"`
	// Operation is the verb that failed.
	Operation string `json:"operation"`
	// Message says what happened, in one line.
	Message string `json:"message"`
	// Details holds everything that is wrong, and what it concerns.
	Details Details `json:"details"`

	cause error
}

// Details of an error.
type Details struct {
	// Context is what the error concerns, by kind: app, user, request.
	Context map[string]string `json:"context"`
	// Faults is everything that is wrong.
	Faults []Fault `json:"faults"`
}

// Fault is one thing that is wrong, and where.
type Fault struct {
	// Code is the fault's stable name.
	Code Code `json:"code"`
	// Message says what is wrong, in one line.
	Message string `json:"message"`
	// Attribute is the attribute or the path in the document, where there is one.
	Attribute string `json:"attribute,omitempty"`
	// Position is the position in an expression, in characters from 0, where there is one.
	Position *int `json:"position,omitempty"`
}

// Error gives code and message.
func (e *Error) Error() string { return "rollkeeper: " + string(e.Code) + ": " + e.Message }

// Is makes errors.Is compare with a [Code].
func (e *Error) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

// Unwrap gives the error of Go behind this one, where there is one.
func (e *Error) Unwrap() error { return e.cause }

// takeError reads an error object and frees it.
func takeError(failure *C.rollkeeper_error) error {
	defer C.rollkeeper_error_free(failure)
	taken := new(Error)
	text := C.GoString(C.rollkeeper_error_json(failure))
	if err := json.NewDecoder(strings.NewReader(text)).Decode(taken); err != nil {
		return &Error{Code: ErrInternal, Kind: "ours", Retry: "never", Message: "the error cannot be read", cause: err}
	}
	return taken
}
