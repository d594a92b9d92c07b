package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"context"
	"encoding/json"
	"iter"
	"runtime/cgo"
	"time"
)

// Reconciliation is what came of comparing a target, a whole list of users, or what was done before, with what is wanted.
type Reconciliation struct {
	Record
	// ID is that of its request, and sorts by the time of making.
	ID string `json:"id"`
	// Kind is target, source or undo.
	Kind string `json:"kind"`
	// App is the app's id; empty for a list of users.
	App string `json:"app,omitempty"`
	// State says how far it is.
	State State `json:"state"`
	// WaitingFor says why it is not moving, where it is not.
	WaitingFor string `json:"waiting_for,omitempty"`
	// Approval says whether a person has to agree to the part that is held.
	Approval string `json:"approval"`
	// By says who asked for it.
	By string `json:"by,omitempty"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"created_at"`
	// FinishedAt is when it finished.
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// Pages is how many pages were read.
	Pages int `json:"pages"`
	// Collected is how many rows were read, repeated ones too.
	Collected int `json:"collected"`
	// Verdict says whether what was read may be concluded from: complete, incomplete or suspect; empty before all was read.
	Verdict string `json:"verdict,omitempty"`
	// VerdictWhy says why.
	VerdictWhy []string `json:"verdict_why,omitempty"`
	// Counts is how many of each situation were found.
	Counts map[string]int `json:"counts"`
	// Groups are the groups that the app's entitlements name, where memberships were compared.
	Groups []GroupSize `json:"groups,omitempty"`
	// Items is how many items of each state the plan has.
	Items map[string]int `json:"items"`
	// Digest is the SHA-256 of the plan, once there is one.
	Digest string `json:"digest,omitempty"`
	// Brake says why what would take something away is held; empty where it is not.
	Brake []BrakeReason `json:"brake,omitempty"`
	// Notes is what is to be known besides, such as what cannot be undone.
	Notes []string `json:"notes,omitempty"`
	// Faults is what is wrong, where something is.
	Faults []Fault `json:"faults,omitempty"`
}

// GroupSize is a group of the target, as it was compared.
type GroupSize struct {
	// Group is its id.
	Group string `json:"group"`
	// DisplayName is its name, where it has one.
	DisplayName string `json:"display_name,omitempty"`
	// Members is how many it has; nil where the target does not show them.
	Members *int `json:"members,omitempty"`
	// Lacks is how many are wanted in it and are not.
	Lacks int `json:"lacks"`
	// Surplus is how many are in it for whom nobody asks.
	Surplus int `json:"surplus"`
}

// BrakeReason is a reason why the brake holds a part of a plan.
type BrakeReason struct {
	// Name is a stable name, such as deactivations or suspect.
	Name string `json:"name"`
	// Message says it in words, with the figures.
	Message string `json:"message"`
	// Count is how many there would be.
	Count int `json:"count"`
	// Of is of how many.
	Of int `json:"of"`
}

// Finding is what was found of one account, or of one user without an account.
type Finding struct {
	Record
	// Situation is how user and account stand to each other.
	Situation string `json:"situation"`
	// User is who owns the account or is the only one to match it, or who has none.
	User string `json:"user,omitempty"`
	// Account is the account's external id.
	Account string `json:"account,omitempty"`
	// Rule is the matching rule that decided, counted from 0; nil where a link did.
	Rule *int `json:"rule,omitempty"`
	// Candidates are those who come into question besides, the surest first.
	Candidates []MatchCandidate `json:"candidates,omitempty"`
	// Drift are the attributes that differ.
	Drift []Drift `json:"drift,omitempty"`
	// Faults say why nothing can be concluded of the wanted state.
	Faults []Fault `json:"faults,omitempty"`
}

// MatchCandidate is a user or an account that comes into question.
type MatchCandidate struct {
	// User is the user's id.
	User string `json:"user,omitempty"`
	// Account is the account's external id.
	Account string `json:"account,omitempty"`
	// Confidence is how sure the rules are, from 0 to 1.
	Confidence float64 `json:"confidence"`
}

// Drift is one attribute three ways. Values of sensitive attributes are left out.
type Drift struct {
	// Attribute is the path at the target; active stands for whether the account can be used.
	Attribute string `json:"attribute"`
	// Last is the value last applied.
	Last json.RawMessage `json:"last,omitempty"`
	// Wanted is the value wanted.
	Wanted json.RawMessage `json:"wanted,omitempty"`
	// Actual is the value at the target.
	Actual json.RawMessage `json:"actual,omitempty"`
	// Verdict says whose doing it is: in_step, ours, theirs or both.
	Verdict string `json:"verdict"`
}

// PlanItem is one thing that a plan would do, or only says.
type PlanItem struct {
	Finding
	// Group is the group's id, where the item is about a membership of the account.
	Group string `json:"group,omitempty"`
	// Number counts from 1, in the plan's order.
	Number uint64 `json:"number"`
	// Reaction is what is done about it.
	Reaction string `json:"reaction"`
	// State is planned, review, held, done, refused, reported or expired.
	State string `json:"state"`
	// Destructive says whether it takes something away.
	Destructive bool `json:"destructive"`
	// Explicit says whether a person or the directory said that this user leaves.
	Explicit bool `json:"explicit"`
	// Changes are what is sent, where the account is changed.
	Changes []Change `json:"changes,omitempty"`
	// Before are the values before, of the attributes that are changed.
	Before map[string]json.RawMessage `json:"before,omitempty"`
	// Why says why it is done, held or refused.
	Why []string `json:"why,omitempty"`
	// Request is the id of the request that was made.
	Request string `json:"request,omitempty"`
	// Fault is what kept it from being done.
	Fault *Fault `json:"fault,omitempty"`
	// By says who decided, where a person did.
	By string `json:"by,omitempty"`
}

// Reconcile reads the target of an app, compares it with the users, and makes a plan; it goes on with one that was
// interrupted. Nothing is changed. Where the context ends, so does the reading, after the page it is at: the error is the
// context's, and the next call goes on from there.
//
// It fails with ErrNotFound, ErrUnknownConnector, ErrReadOnly or the codes of the store. What the target does is no failure
// of this method: it is in Faults of a reconciliation that is Failed.
func (e *Engine) Reconcile(ctx context.Context, app, by string) (Reconciliation, error) {
	return e.ReconcileWatched(ctx, app, by, nil)
}

// ReconcileWatched does what [Engine.Reconcile] does, and gives watch the reconciliation as it is after each page and step.
// Where watch gives false it stops there, and the next call goes on. watch must not call the engine but for
// [Engine.CancelRun].
func (e *Engine) ReconcileWatched(ctx context.Context, app, by string, watch func(Reconciliation) bool) (Reconciliation, error) {
	if err := ctx.Err(); err != nil {
		return Reconciliation{}, context.Cause(ctx)
	}
	report := reporterOf(ctx, watch)
	handle := cgo.NewHandle(report)
	defer handle.Delete()
	reconciliation, err := read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		defer cancelWith(ctx, engine)()
		return C.rollkeeper_go_reconcile(engine, a.name(app), a.optional(by), C.uintptr_t(handle), out, failure)
	}))
	if report.panic != nil {
		panic(report.panic)
	}
	if ctx.Err() != nil && (err != nil || reconciliation.Digest == "") {
		err = context.Cause(ctx)
	}
	return reconciliation, err
}

// StageAccounts does the same with accounts that the host collected: a list, or text with one JSON object a line, each as a
// [Connector] gives it. complete says whether these are all accounts of the target; where it is false, nothing is concluded
// from absence.
//
// It fails with ErrNotFound, ErrInvalidJSON, ErrReconciliationOpen or ErrReadOnly.
func (e *Engine) StageAccounts(app string, accounts any, complete bool, by string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.document(accounts)
		return C.rollkeeper_engine_stage_accounts(engine, a.name(app), text, length, C.bool(complete), a.optional(by), out, failure)
	}))
}

// Reconciliation gives one reconciliation. It fails with ErrNotFound.
func (e *Engine) Reconciliation(id string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_reconciliation(engine, a.name(id), out, failure)
	}))
}

// ReconciliationFilter says which reconciliations are asked for; what is empty does not matter.
type ReconciliationFilter struct {
	// App is the app's id.
	App string `json:"app,omitempty"`
	// Kind is target, source or undo.
	Kind string `json:"kind,omitempty"`
	// State is the state they are in.
	State State `json:"state,omitempty"`
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the reconciliation of this id.
	After string `json:"after,omitempty"`
}

// Reconciliations goes through reconciliations by id, which is by time of making. A name that does not exist gives
// ErrUnknownState or ErrInvalidArgument.
func (e *Engine) Reconciliations(filter ReconciliationFilter) iter.Seq2[Reconciliation, error] {
	return records[Reconciliation](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_reconciliations(engine, text, length, out, failure)
	}))
}

// PlanFilter says which items of a plan are asked for; what is empty does not matter.
type PlanFilter struct {
	// Situation is the one found.
	Situation string `json:"situation,omitempty"`
	// Reaction is what is done about it.
	Reaction string `json:"reaction,omitempty"`
	// State is planned, review, held, done, refused, reported or expired.
	State string `json:"state,omitempty"`
	// User is the user's id.
	User string `json:"user,omitempty"`
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the item of this number.
	After uint64 `json:"after,omitempty"`
}

// Plan goes through the items of a reconciliation's plan by their numbers. It fails with ErrNotFound; a name that does not
// exist gives ErrInvalidArgument.
func (e *Engine) Plan(id string, filter PlanFilter) iter.Seq2[PlanItem, error] {
	return records[PlanItem](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_plan(engine, a.name(id), text, length, out, failure)
	}))
}

// Commit carries out exactly the plan with that digest. What the brake holds waits for [Engine.Release]; an item whose
// user, account or app changed since is refused and named.
//
// It fails with ErrNotFound, ErrInvalidTransition, or ErrPlanChanged where the plan has another digest by now.
func (e *Engine) Commit(id, digest, by string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_commit(engine, a.name(id), a.name(digest), a.name(by), out, failure)
	}))
}

// Release says that a second person agrees to what the brake holds of the plan with that digest: it is let through once,
// within 24 hours, and of what a definition or a list would take away at any time. It fails as [Engine.Commit], and with
// ErrFourEyes where it is the same person.
func (e *Engine) Release(id, digest, by string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_release(engine, a.name(id), a.name(digest), a.name(by), out, failure)
	}))
}

// ReviewDecision is what a person decides about an item of a plan.
type ReviewDecision struct {
	// Reaction is what is to be done.
	Reaction string `json:"reaction"`
	// User is with which of the users that come into question.
	User string `json:"user,omitempty"`
}

// Review says what a person decides about the item of that number, which waits for it. The plan has another digest then.
//
// It fails with ErrNotFound, ErrInvalidTransition, ErrInvalidDocument or ErrInvalidArgument.
func (e *Engine) Review(id string, item uint64, decision ReviewDecision, by string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.document(decision)
		return C.rollkeeper_engine_review(engine, a.name(id), C.uint64_t(item), text, length, a.name(by), out, failure)
	}))
}

// Undo makes a plan that puts back what a reconciliation or a request changed, from the values that were stored before. It
// is committed, held and released as any other plan; Notes says first what cannot be undone.
//
// It fails with ErrNotFound, ErrInvalidTransition or ErrCannotBeUndone.
func (e *Engine) Undo(id, by string) (Reconciliation, error) {
	return read[Reconciliation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_undo(engine, a.name(id), a.name(by), out, failure)
	}))
}
