package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"net/http"
	"runtime"
	"runtime/cgo"
	"sync"
	"time"
)

// Options say how an engine is opened; the zero value has every default.
type Options struct {
	// Key seals the keys per user; nil, or 32 bytes that are the same at every opening.
	Key []byte
	// Seed makes ids, keys and jitter reproducible where it is not nil. For tests only.
	Seed *uint64
	// ReadOnly makes every verb that would change something fail with ErrReadOnly.
	ReadOnly bool
	// WithoutLookUp makes a create be sent again without a look-up. Only for showing that duplicates appear.
	WithoutLookUp bool
	// Secrets gives the secret of a name, and false where there is none.
	Secrets func(name string) (secret string, ok bool)
	// Log is told every log entry once it is durable.
	Log func(entry LogEntry)
	// Alerts is told what needs a person, once it is durable.
	Alerts func(alert Alert)
	// Transport is the HTTP client for every SCIM target and authorization server, in place of the library's own; see
	// [TransportError].
	Transport http.RoundTripper
	// Clock gives the time instead of the system's clock.
	Clock func() time.Time
	// VirtualClock is used instead of Clock.
	VirtualClock *VirtualClock
}

// Engine is an open database and everything that works on it. It may be used from any goroutine. A callback (Secrets,
// Log, Alerts, Clock, Progress, Transport, a [Connector]) must not call the engine it serves but for CancelRun. A panic in Secrets, Log,
// Alerts or Clock ends the program.
type Engine struct {
	pointer *C.rollkeeper_engine

	mutex   sync.Mutex
	closed  bool
	inside  sync.WaitGroup
	closing sync.Once
}

// Open opens the database at path and makes it where it does not exist; "" is a database in memory.
//
// It fails with ErrStoreNewer, ErrStoreDamaged, ErrStoreUnwritable, ErrStoreBusy, ErrStoreFull, ErrStoreMissing,
// ErrKeyMissing or ErrInvalidArgument.
func Open(path string, options Options) (*Engine, error) {
	if options.Key != nil && len(options.Key) != 32 {
		return nil, &Error{Code: ErrInvalidArgument, Kind: "caller", Retry: "never", Operation: "open", Message: "`Key` must have 32 bytes"}
	}
	engine := new(Engine)
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		given := C.rollkeeper_go_options{path: a.optional(path)}
		if options.Key != nil {
			key := C.CBytes(options.Key)
			a.held = append(a.held, key)
			given.key = (*C.uint8_t)(key)
		}
		if options.Seed != nil {
			given.seed, given.has_seed = C.uint64_t(*options.Seed), 1
		}
		if options.ReadOnly {
			given.read_only = 1
		}
		if options.WithoutLookUp {
			given.without_look_up = 1
		}
		if options.Secrets != nil {
			given.secrets = C.uintptr_t(cgo.NewHandle(options.Secrets))
		}
		if options.Log != nil {
			given.log = C.uintptr_t(cgo.NewHandle(options.Log))
		}
		if options.Alerts != nil {
			given.alerts = C.uintptr_t(cgo.NewHandle(options.Alerts))
		}
		if options.Transport != nil {
			given.transport = C.uintptr_t(cgo.NewHandle(options.Transport))
		}
		if options.VirtualClock != nil {
			given.virtual_clock = options.VirtualClock.pointer
		} else if options.Clock != nil {
			given.clock = C.uintptr_t(cgo.NewHandle(options.Clock))
		}
		return C.rollkeeper_go_open(&given, &engine.pointer, failure)
	})
	runtime.KeepAlive(options.VirtualClock)
	if err != nil {
		return nil, err
	}
	runtime.SetFinalizer(engine, (*Engine).Close)
	return engine, nil
}

// Close ends an active run after the calls under way, waits for every call that is inside, and closes the database.
// Closing twice does no harm. It must not be called from a callback of the engine, for which it would wait for ever.
func (e *Engine) Close() error {
	e.closing.Do(func() {
		e.mutex.Lock()
		e.closed = true
		e.mutex.Unlock()
		left := make(chan struct{})
		go func() {
			e.inside.Wait()
			close(left)
		}()
		cancelUntil(e.pointer, left)
		runtime.SetFinalizer(e, nil)
		C.rollkeeper_engine_free(e.pointer)
	})
	return nil
}

// cancelUntil cancels runs until done is closed. A run that is just beginning may miss one call, so the call is repeated.
func cancelUntil(engine *C.rollkeeper_engine, done <-chan struct{}) {
	pause := time.NewTicker(5 * time.Millisecond)
	defer pause.Stop()
	for {
		select {
		case <-done:
			return
		default:
			C.rollkeeper_engine_cancel_run(engine, nil)
		}
		select {
		case <-done:
			return
		case <-pause.C:
		}
	}
}

// enter keeps the engine open until leave is called.
func (e *Engine) enter() error {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.closed {
		return &Error{Code: ErrClosed, Kind: "caller", Retry: "never", Message: "the engine is closed"}
	}
	e.inside.Add(1)
	return nil
}

func (e *Engine) leave() { e.inside.Done() }

// text makes a call that gives text.
func (e *Engine) text(call func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus) (string, error) {
	if err := e.enter(); err != nil {
		return "", err
	}
	defer e.leave()
	return textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		return call(e.pointer, a, out, failure)
	})
}

// list makes a call that gives an iterator; the caller frees it.
func (e *Engine) list(call listCall) (*C.rollkeeper_iterator, error) {
	if err := e.enter(); err != nil {
		return nil, err
	}
	defer e.leave()
	var iterator *C.rollkeeper_iterator
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		return call(e.pointer, a, &iterator, failure)
	})
	return iterator, err
}

type listCall func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus

// Backup writes a consistent copy of the database to path, which must not exist.
//
// It fails with ErrStoreUnwritable or ErrStoreFull.
func (e *Engine) Backup(path string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_engine_backup(e.pointer, a.name(path), failure)
	})
}

// Version is the version of the library.
func Version() string { return C.GoString(C.rollkeeper_version()) }
