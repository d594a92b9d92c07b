package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"
	"time"
)

// RunOptions say how a run works.
type RunOptions struct {
	// Workers is how many calls to targets are made at the same time, 1 to 256; 0 counts as 1.
	Workers int
	// Timeout is how long to wait for work that becomes due later; 0 ends when nothing is due now.
	Timeout time.Duration
	// Progress is told how the run goes; false cancels it.
	Progress func(progress Progress) bool
}

// reporter is what the library calls with how its work goes. A panic is kept for the goroutine that began the work, because
// it must not pass through frames of another language.
type reporter struct {
	ctx   context.Context
	tell  func(text string) bool
	panic any
}

// reporterOf tells records to a function; nobody where it is nil.
func reporterOf[T any, P record[T]](ctx context.Context, tell func(T) bool) *reporter {
	report := &reporter{ctx: ctx}
	if tell != nil {
		report.tell = func(text string) bool {
			told, err := read[T, P](text, nil)
			return err != nil || tell(told)
		}
	}
	return report
}

func (r *reporter) goesOn(text []byte) (goesOn bool) {
	defer func() {
		if value := recover(); value != nil {
			r.panic = value
			goesOn = false
		}
	}()
	if r.ctx.Err() != nil {
		return false
	}
	return r.tell == nil || r.tell(string(text))
}

// Run does everything that is due and returns when nothing is, when the timeout has passed, or when the run was cancelled
// by CancelRun, Progress or the context; then it also gives the context's error. What fails at a target is not a failure
// of the run.
//
// It fails with ErrReadOnly, ErrInvalidArgument or the codes of the store.
func (e *Engine) Run(ctx context.Context, options RunOptions) (Progress, error) {
	if err := ctx.Err(); err != nil {
		return Progress{}, context.Cause(ctx)
	}
	if options.Workers < 0 || options.Workers > 256 || options.Timeout < 0 {
		return Progress{}, &Error{Code: ErrInvalidArgument, Kind: "caller", Retry: "never", Operation: "run", Message: "`Workers` must be 0 to 256 and `Timeout` not negative"}
	}
	report := reporterOf(ctx, options.Progress)
	handle := cgo.NewHandle(report)
	defer handle.Delete()
	progress, err := read[Progress](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		defer cancelWith(ctx, engine)()
		return C.rollkeeper_go_run(engine, C.uint32_t(options.Workers), a.optional(duration(options.Timeout)), C.uintptr_t(handle), out, failure)
	}))
	if report.panic != nil {
		panic(report.panic)
	}
	if err == nil && progress.Stopped && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return progress, err
}

// cancelWith cancels what the engine does once the context ends, until the function it gives is called. The engine cannot
// be closed meanwhile, because the caller is inside.
func cancelWith(ctx context.Context, engine *cEngine) func() {
	ended, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		select {
		case <-ended:
		case <-ctx.Done():
			cancelUntil(engine, ended)
		}
	}()
	return func() {
		close(ended)
		<-watched
	}
}

// Step does one unit of work.
func (e *Engine) Step() (Step, error) {
	return read[Step](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_step(engine, out, failure)
	}))
}

// Metrics says how the work stands: what is open, due and under way for each app, which removals of access are not confirmed
// yet, and what was done since the opening. It fails with the codes of the store.
func (e *Engine) Metrics() (Metrics, error) {
	return read[Metrics](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_metrics(engine, out, failure)
	}))
}

// OpenMetrics gives the same in the OpenMetrics text form, for a scraper; its media type is
// "application/openmetrics-text; version=1.0.0; charset=utf-8".
func (e *Engine) OpenMetrics() (string, error) {
	return e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_open_metrics(engine, out, failure)
	})
}

// CancelRun ends a run after the calls under way. It may be called from any goroutine, and is the one method that a
// callback may call.
func (e *Engine) CancelRun() {
	if e.enter() == nil {
		defer e.leave()
		C.rollkeeper_engine_cancel_run(e.pointer, nil)
	}
}

// duration writes a duration in ISO 8601, and no time at all as "".
func duration(length time.Duration) string {
	if length == 0 {
		return ""
	}
	return fmt.Sprintf("PT%d.%09dS", length/time.Second, length%time.Second)
}
