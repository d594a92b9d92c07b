package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"encoding/json"
	"runtime"
	"runtime/cgo"
	"time"
)

// RegisterConnector makes a connector known under a name, before the app that names it is put.
func (e *Engine) RegisterConnector(name string, connector Connector) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_go_register(e.pointer, a.name(name), C.uintptr_t(cgo.NewHandle(connector)), failure)
	})
}

// MockTarget is a target in memory with scripted faults. It may be used from any goroutine, and by itself as long as
// anybody does.
type MockTarget struct {
	pointer *C.rollkeeper_mock_target
}

func newMockTarget(call func(a *arguments, out **C.rollkeeper_mock_target, failure **cError) cStatus) (*MockTarget, error) {
	target := new(MockTarget)
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		return call(a, &target.pointer, failure)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(target, func(target *MockTarget) { C.rollkeeper_mock_target_free(target.pointer) })
	return target, nil
}

// NewMockTarget makes a mock target. options is nil or an object such as {"unique": false}.
func NewMockTarget(options any) (*MockTarget, error) {
	return newMockTarget(func(a *arguments, out **C.rollkeeper_mock_target, failure **cError) cStatus {
		text, length := a.optionalDocument(options)
		return C.rollkeeper_mock_target_new(text, length, out, failure)
	})
}

// MockTarget gives the mock target of an app whose connector is of kind mock. It fails with ErrNotFound.
func (e *Engine) MockTarget(app string) (*MockTarget, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	return newMockTarget(func(a *arguments, out **C.rollkeeper_mock_target, failure **cError) cStatus {
		return C.rollkeeper_engine_mock_target(e.pointer, a.name(app), out, failure)
	})
}

// RegisterMockTarget makes a mock target known as a connector of that name.
func (e *Engine) RegisterMockTarget(name string, target *MockTarget) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	defer runtime.KeepAlive(target)
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_engine_register_mock_target(e.pointer, a.name(name), target.pointer, failure)
	})
}

// Script adds faults to the target's script; each is used up by the calls it meets.
func (t *MockTarget) Script(faults any) error {
	defer runtime.KeepAlive(t)
	return plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(faults)
		return C.rollkeeper_mock_target_script(t.pointer, text, length, failure)
	})
}

// Calls gives every call that the target has had, as a JSON list.
func (t *MockTarget) Calls() (json.RawMessage, error) {
	defer runtime.KeepAlive(t)
	text, err := textCall(func(_ *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_mock_target_calls(t.pointer, out, failure)
	})
	return json.RawMessage(text), err
}

// Accounts gives every account that the target holds, as a JSON list.
func (t *MockTarget) Accounts() (json.RawMessage, error) {
	defer runtime.KeepAlive(t)
	text, err := textCall(func(_ *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_mock_target_accounts(t.pointer, out, failure)
	})
	return json.RawMessage(text), err
}

// PutAccount puts an account, as a [Connector] gives it, without a call: a change behind the engine's back.
func (t *MockTarget) PutAccount(account any) error {
	defer runtime.KeepAlive(t)
	return plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(account)
		return C.rollkeeper_mock_target_put_account(t.pointer, text, length, failure)
	})
}

// RemoveAccount takes an account away without a call. It gives whether there was one.
func (t *MockTarget) RemoveAccount(externalID string) (bool, error) {
	defer runtime.KeepAlive(t)
	var removed C.bool
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_mock_target_remove_account(t.pointer, a.name(externalID), &removed, failure)
	})
	return bool(removed), err
}

// VirtualClock moves only when told to. It may be used from any goroutine.
type VirtualClock struct {
	pointer *C.rollkeeper_virtual_clock
}

// NewVirtualClock makes a clock that shows start.
func NewVirtualClock(start time.Time) (*VirtualClock, error) {
	clock := new(VirtualClock)
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_virtual_clock_new(a.name(start.Format(time.RFC3339Nano)), &clock.pointer, failure)
	})
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(clock, func(clock *VirtualClock) { C.rollkeeper_virtual_clock_free(clock.pointer) })
	return clock, nil
}

// Advance moves the clock forward. A negative length fails with ErrInvalidTime.
func (c *VirtualClock) Advance(length time.Duration) error {
	defer runtime.KeepAlive(c)
	if length == 0 {
		return nil
	}
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_virtual_clock_advance(c.pointer, a.name(duration(length)), failure)
	})
}

// Set sets the clock, backwards too.
func (c *VirtualClock) Set(now time.Time) error {
	defer runtime.KeepAlive(c)
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_virtual_clock_set(c.pointer, a.name(now.Format(time.RFC3339Nano)), failure)
	})
}

// Now gives the time that the clock shows.
func (c *VirtualClock) Now() (time.Time, error) {
	defer runtime.KeepAlive(c)
	text, err := textCall(func(_ *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_virtual_clock_now(c.pointer, out, failure)
	})
	if err != nil {
		return time.Time{}, err
	}
	return time.Parse(time.RFC3339Nano, text)
}

// ConformanceReport is what the conformance suite found.
type ConformanceReport struct {
	Record
	// Checks are the checks in the order in which they ran.
	Checks []ConformanceCheck `json:"checks"`
	// Passed says whether no check failed.
	Passed bool `json:"passed"`
}

// ConformanceCheck is one check of the suite.
type ConformanceCheck struct {
	// Name is what the connector must do.
	Name string `json:"name"`
	// Passed says whether it does; true for a skipped check.
	Passed bool `json:"passed"`
	// Skipped says whether the connector says that it cannot do this.
	Skipped bool `json:"skipped"`
	// Message says why it failed or was skipped.
	Message string `json:"message"`
}

// CheckConnector runs the conformance suite. It makes a few accounts and takes them away again. options is nil or an object
// with prefix (the beginning of every name it makes), attributes (put on every account)
// and with group (the id of a group into which an account may be put, and taken out of it again).
func CheckConnector(connector Connector, options any) (ConformanceReport, error) {
	return read[ConformanceReport](textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.optionalDocument(options)
		return C.rollkeeper_go_check(C.uintptr_t(cgo.NewHandle(connector)), text, length, out, failure)
	}))
}
