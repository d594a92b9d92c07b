package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"iter"
	"runtime"
	"sync"
	"time"
)

// TargetRequest is what would reach a target: an HTTP request with Method, Path and Body, or else the call of a connector
// with its arguments.
type TargetRequest struct {
	// Method is POST, PATCH or PUT.
	Method string `json:"method,omitempty"`
	// Path is the path and query of the URL.
	Path string `json:"path,omitempty"`
	// Body is the JSON body.
	Body json.RawMessage `json:"body,omitempty"`
	// Call is the connector's method, where the connector does not speak HTTP of its own.
	Call string `json:"call,omitempty"`
	// Arguments are its arguments by name.
	Arguments json.RawMessage `json:"arguments,omitempty"`
}

// PreviewCreate is what a Create would send, whether or not one is due.
type PreviewCreate struct {
	// Attributes are what the connector gets.
	Attributes json.RawMessage `json:"attributes"`
	// Requests are sent in order; none where the mapping is at fault.
	Requests []TargetRequest `json:"requests"`
	// Faults is what is wrong.
	Faults []Fault `json:"faults"`
}

// PreviewUpdate is what an Update would send, whether or not one is due.
type PreviewUpdate struct {
	// Changes are what the connector gets.
	Changes json.RawMessage `json:"changes"`
	// Requests are sent in order; none where nothing changes or the mapping is at fault.
	Requests []TargetRequest `json:"requests"`
	// Faults is what is wrong.
	Faults []Fault `json:"faults"`
}

// WithheldOperation was decided and is held back.
type WithheldOperation struct {
	// Operation is what was decided.
	Operation string `json:"operation"`
	// Why says why it was decided.
	Why string `json:"why"`
	// Withheld says why it is held back.
	Withheld string `json:"withheld"`
}

// ExplanationStep is one step from the user's record to the account.
type ExplanationStep struct {
	// Step is import, match, scope, evaluate or provision.
	Step string `json:"step"`
	// Result is what came of it, in a word.
	Result string `json:"result"`
	// Text says it in a sentence.
	Text string `json:"text"`
	// Found is what was found, by name; never an attribute's value.
	Found json.RawMessage `json:"found"`
}

// UserImpact is what a new definition would mean for one user.
type UserImpact struct {
	Record
	// User is the user's id.
	User string `json:"user"`
	// Operations are the requests that would be made, in order.
	Operations []ImpactOperation `json:"operations"`
	// Withheld is what would be decided and held back.
	Withheld []WithheldOperation `json:"withheld"`
	// Cancelled are the operations of open requests that would be cancelled.
	Cancelled []string `json:"cancelled"`
	// Attributes are those of which another value would be wanted.
	Attributes []ImpactAttribute `json:"attributes"`
	// Memberships are those of groups that would be given or taken away.
	Memberships []Membership `json:"memberships,omitempty"`
	// Faults is what would be wrong for this user.
	Faults []Fault `json:"faults"`
}

// ImpactOperation is one request that would be made.
type ImpactOperation struct {
	// Operation is what would be done.
	Operation string `json:"operation"`
	// Why says why.
	Why string `json:"why"`
	// NotBefore is before when it would not be sent.
	NotBefore *time.Time `json:"not_before,omitempty"`
}

// ImpactAttribute is an attribute of which another value would be wanted.
type ImpactAttribute struct {
	// Path is the attribute path.
	Path string `json:"path"`
	// Sensitive says that its values are never told.
	Sensitive bool `json:"sensitive,omitempty"`
	// Before is what is wanted now, where values are told and there is one.
	Before json.RawMessage `json:"before,omitempty"`
	// After is what would be wanted.
	After json.RawMessage `json:"after,omitempty"`
}

// ImpactSummary has the totals of an impact, so far.
type ImpactSummary struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// Changed says whether the definition differs from the one that is stored.
	Changed bool `json:"changed"`
	// Total is how many users there were when it began.
	Total int `json:"total"`
	// Users is how many were looked at.
	Users int `json:"users"`
	// Affected is for how many of them something would change.
	Affected int `json:"affected"`
	// Accounts is how many of them have an account, or are about to.
	Accounts int `json:"accounts"`
	// Operations counts the requests that would be made, by operation.
	Operations map[string]int `json:"operations"`
	// Withheld counts what would be held back, by operation.
	Withheld map[string]int `json:"withheld"`
	// Cancelled counts the open requests that would be cancelled, by operation.
	Cancelled map[string]int `json:"cancelled"`
	// Attributes counts the users for whom another value would be wanted, by attribute.
	Attributes map[string]int `json:"attributes"`
	// Faults counts what would be wrong, by code.
	Faults map[Code]int `json:"faults"`
	// Destructive counts the users who would be frozen or would lose their account or its use.
	Destructive int `json:"destructive"`
	// Share is their share of those who have an account, from 0 to 1.
	Share float64 `json:"share"`
	// Held is what of that the brake would hold, told once Finished.
	Held ImpactHeld `json:"held"`
	// Finished says whether every user was looked at.
	Finished bool `json:"finished"`
}

// ImpactHeld is what the brake would hold until a second person agrees. It is counted among the requests that would be made.
type ImpactHeld struct {
	// Accounts is how many accounts would not be disabled or deleted until then.
	Accounts int `json:"accounts"`
	// Memberships is how many memberships would not be taken away.
	Memberships int `json:"memberships"`
	// Brake says why; empty where nothing would be held.
	Brake []BrakeReason `json:"brake"`
}

// ImpactOptions say how an impact is told; the zero value has every default.
type ImpactOptions struct {
	// Values tells the values of attributes, old and new; those of sensitive rules are never told.
	Values bool `json:"values"`
}

// Impact is what a new definition would change. One goroutine goes through it; the other methods may be called from any.
type Impact struct {
	engine  *Engine
	pointer *C.rollkeeper_impact

	mutex  sync.RWMutex
	closed bool
}

// Impact compares a definition with the one that is stored, or with nothing where there is none, over all users. It is
// decided as PutApp decides, so that the requests foretold are those that putting the definition would make. Nothing is
// stored, nothing is sent, and no connector is asked. Users are read in pages while the impact is gone through; what others
// store meanwhile is seen where it is still to come.
//
// It fails as [Engine.PutApp] where the definition is at fault.
func (e *Engine) Impact(app any, options ImpactOptions) (*Impact, error) {
	impact := &Impact{engine: e}
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(app)
		given, givenLength := a.document(options)
		return C.rollkeeper_engine_impact(e.pointer, text, length, given, givenLength, &impact.pointer, failure)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(impact, (*Impact).Close)
	return impact, nil
}

// Users goes through the users for whom something would change. Leaving the loop early ends nothing: a second loop goes on
// where the first was left.
func (i *Impact) Users() iter.Seq2[UserImpact, error] {
	return recordsUntilDone[UserImpact](i.next)
}

// next gives the next user's JSON, nothing after the last.
func (i *Impact) next() (*string, error) {
	defer runtime.KeepAlive(i.engine)
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	if i.closed {
		return nil, i.closedError()
	}
	var text *C.char
	var failure *cError
	return nextText(C.rollkeeper_impact_next(i.pointer, &text, &failure), &text, &failure)
}

// Summary gives the totals so far, of all users once Finished is true. Users of Total tells how far it is.
func (i *Impact) Summary() (ImpactSummary, error) {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	if i.closed {
		return ImpactSummary{}, i.closedError()
	}
	return read[ImpactSummary](textCall(func(_ *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_impact_summary(i.pointer, out, failure)
	}))
}

// Cancel ends it: who goes through it is at the end after the page it is at.
func (i *Impact) Cancel() {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	if !i.closed {
		_ = C.rollkeeper_impact_cancel(i.pointer, nil)
	}
}

// Close ends it and frees it. Closing twice does nothing.
func (i *Impact) Close() {
	i.Cancel()
	i.mutex.Lock()
	defer i.mutex.Unlock()
	if !i.closed {
		i.closed = true
		C.rollkeeper_impact_free(i.pointer)
		runtime.SetFinalizer(i, nil)
	}
}

func (i *Impact) closedError() error {
	return &Error{Code: ErrClosed, Kind: "caller", Retry: "never", Operation: "impact", Message: "the impact is closed"}
}
