package rollkeeper

/*
#include <stdlib.h>
#include "rollkeeper.h"
*/
import "C"

import (
	"bytes"
	"encoding/json"
	"iter"
	"runtime"
	"sync"
	"time"
	"unsafe"
)

// Path is the path of a file with JSON text: objects one a line, a list of objects, or SCIM answers with Resources.
type Path string

// AnalyzeOptions are by what [Analyze] compares; each may be left out. Matching, Mapping, AssignedTo, Scope, Protected and
// Tables are as an app has them.
type AnalyzeOptions struct {
	// Matching says which users and accounts belong together.
	Matching any
	// Mapping says which attributes are wanted.
	Mapping any
	// AssignedTo says who is entitled; everybody is where it is nil.
	AssignedTo any
	// Scope is an expression that the entitled fulfil.
	Scope string
	// Protected are accounts that are left alone.
	Protected any
	// Tables are what lookup finds values in, by their names.
	Tables any
	// Links says which account belongs to whom: records as the users are, with account, user, state, known, last, deleted,
	// active and frozen, of which account is required.
	Links any
	// Now is the time for validity and expressions; the zero time is that of the system.
	Now time.Time
	// Partial says that the accounts are not all there are: nothing is concluded from absence.
	Partial bool
	// Memory is how many bytes may be used before temporary files are; 0 for the default.
	Memory int
	// Threads is how many threads read the records; 0 for the default. What is found does not depend on it.
	Threads int
	// Findings are the situations that are gone through; all where it is nil.
	Findings []string
}

// document gives what the library reads.
func (o AnalyzeOptions) document() map[string]any {
	document := map[string]any{"complete": !o.Partial}
	for key, value := range map[string]any{
		"matching": o.Matching, "mapping": o.Mapping, "assigned_to": o.AssignedTo, "protected": o.Protected, "tables": o.Tables,
	} {
		if value != nil {
			document[key] = written(value)
		}
	}
	if o.Scope != "" {
		document["scope"] = o.Scope
	}
	if !o.Now.IsZero() {
		document["now"] = moment(o.Now)
	}
	if o.Memory != 0 {
		document["memory"] = o.Memory
	}
	if o.Threads != 0 {
		document["threads"] = o.Threads
	}
	if o.Findings != nil {
		document["findings"] = o.Findings
	}
	return document
}

// written is JSON text for encoding/json to take as it stands, or the value itself.
func written(value any) any {
	switch text := value.(type) {
	case string:
		return json.RawMessage(text)
	case []byte:
		return json.RawMessage(text)
	}
	return value
}

// AnalysisCounts are the totals of an analysis.
type AnalysisCounts struct {
	Record
	// Counts is how many findings there are of each situation.
	Counts map[string]int `json:"counts"`
	// Complete says whether the accounts are the whole listing.
	Complete bool `json:"complete"`
	// Repeated is how many accounts have the id of one before; they count once.
	Repeated int `json:"repeated"`
	// Unreadable is how many records take no part.
	Unreadable int `json:"unreadable"`
	// Faults are the first thousand of those.
	Faults []AnalysisFault `json:"faults"`
}

// AnalysisFault is a record that takes no part in an analysis.
type AnalysisFault struct {
	Fault
	// Side is users, accounts or links.
	Side string `json:"side"`
	// Index is its place there, from 0.
	Index int `json:"index"`
}

// Analysis is what [Analyze] found. One goroutine goes through it; Counts may be called from any.
type Analysis struct {
	pointer *C.rollkeeper_analysis

	mutex  sync.RWMutex
	closed bool
}

// Analyze finds how users and accounts stand to each other, as a reconciliation does, without an engine: every account, and
// every user without one, is in exactly one situation.
//
// users are records as [Engine.PutUser] takes them. accounts are objects with external_id as a [Connector] gives them, or any
// other objects with id, which are then their own attributes: SCIM resources, rows of a table. Both are JSON text (objects
// one a line, or a list), the [Path] of a file with such text, an iter.Seq or iter.Seq2 of [json.RawMessage] such as
// [Engine.Users] gives, an iter.Seq of map[string]any, or a list that encoding/json can write. A file must stay as it is until
// the analysis is closed; what an iterator gives is held in memory.
//
// It fails with every fault of the options; with ErrInvalidArgument where a file cannot be read; with ErrInvalidJSON where a
// list does not end; and with what an iterator fails with. A record that cannot be read is no failure: the counts tell of it.
func Analyze(users, accounts any, options AnalyzeOptions) (*Analysis, error) {
	analysis := new(Analysis)
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		given, known := a.input(users), a.input(accounts)
		var links *C.rollkeeper_input
		if options.Links != nil {
			links = a.input(options.Links)
		}
		text, length := a.document(options.document())
		return C.rollkeeper_analyze(given, known, links, text, length, &analysis.pointer, failure)
	})
	if err != nil {
		C.rollkeeper_analysis_free(analysis.pointer)
		return nil, err
	}
	runtime.SetFinalizer(analysis, (*Analysis).Close)
	return analysis, nil
}

// input hands records over to C.
func (a *arguments) input(records any) *C.rollkeeper_input {
	input := (*C.rollkeeper_input)(C.calloc(1, C.sizeof_rollkeeper_input))
	a.held = append(a.held, unsafe.Pointer(input))
	input.struct_size = C.sizeof_rollkeeper_input
	if path, ok := records.(Path); ok {
		input.path = a.name(string(path))
		return input
	}
	if lines, err := linesOf(records); err != nil {
		a.err = err
	} else if lines != nil {
		records = lines
	}
	input.text, input.text_length = a.document(records)
	return input
}

// linesOf gives what an iterator gives as text, one record a line; nothing where it is none.
func linesOf(records any) ([]byte, error) {
	lines := new(bytes.Buffer)
	encoder := json.NewEncoder(lines)
	encoder.SetEscapeHTML(false)
	switch given := records.(type) {
	case iter.Seq[json.RawMessage]:
		for record := range given {
			if err := encoder.Encode(record); err != nil {
				return nil, err
			}
		}
	case iter.Seq2[json.RawMessage, error]:
		for record, err := range given {
			if err == nil {
				err = encoder.Encode(record)
			}
			if err != nil {
				return nil, err
			}
		}
	case iter.Seq[map[string]any]:
		for record := range given {
			if err := encoder.Encode(record); err != nil {
				return nil, err
			}
		}
	default:
		return nil, nil
	}
	return lines.Bytes(), nil
}

// Counts gives the totals.
func (a *Analysis) Counts() (AnalysisCounts, error) {
	a.mutex.RLock()
	defer a.mutex.RUnlock()
	if a.closed {
		return AnalysisCounts{}, a.closedError()
	}
	return read[AnalysisCounts](textCall(func(_ *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_analysis_counts(a.pointer, out, failure)
	}))
}

// Findings goes through the findings, accounts in their order and then users in theirs. Leaving the loop early ends nothing:
// a second loop goes on where the first was left.
func (a *Analysis) Findings() iter.Seq2[Finding, error] {
	return recordsUntilDone[Finding](a.next)
}

// next gives the next finding's JSON, nothing after the last.
func (a *Analysis) next() (*string, error) {
	a.mutex.RLock()
	defer a.mutex.RUnlock()
	if a.closed {
		return nil, a.closedError()
	}
	var text *C.char
	var failure *cError
	return nextText(C.rollkeeper_analysis_next(a.pointer, &text, &failure), &text, &failure)
}

// Close frees it. Closing twice does nothing.
func (a *Analysis) Close() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if !a.closed {
		a.closed = true
		C.rollkeeper_analysis_free(a.pointer)
		runtime.SetFinalizer(a, nil)
	}
}

func (a *Analysis) closedError() error {
	return &Error{Code: ErrClosed, Kind: "caller", Retry: "never", Operation: "analyze", Message: "the analysis is closed"}
}
