package rollkeeper

/*
#include "callback.h"
*/
import "C"

import (
	"encoding/json"
	"iter"
	"time"
)

// PutApp stores an app's definition and makes the requests that its change of assignment or mapping asks for. Where it would
// take so many accounts or memberships away that it looks like a mistake, none of that is requested: it waits in a
// reconciliation of the kind source until a second person agrees with [Engine.Release]. [Engine.Impact] tells beforehand.
//
// It fails with ErrInvalidJSON, ErrUnknownKey, ErrMissingID, ErrUnknownOperation, the codes of configuration, ErrNotReady,
// or the codes of the store.
func (e *Engine) PutApp(app any, by string) ([]Request, error) {
	return collect(records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(app)
		return C.rollkeeper_engine_put_app(engine, text, length, a.optional(by), out, failure)
	})))
}

// App gives the app's definition as JSON. It fails with ErrNotFound.
func (e *Engine) App(id string) (json.RawMessage, error) {
	text, err := e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_app(engine, a.name(id), out, failure)
	})
	return json.RawMessage(text), err
}

// Apps goes through every app by id.
func (e *Engine) Apps() iter.Seq2[json.RawMessage, error] {
	return documents(e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		return C.rollkeeper_engine_apps(engine, out, failure)
	}))
}

// DeleteApp forgets an app and gives the requests that ended. Nothing is sent: open requests are cancelled (failed as
// uncertain where they were sent and nobody knows what came of it), accounts stay as they are.
//
// It fails with ErrNotFound, or ErrInvalidTransition while one of its requests is being sent.
func (e *Engine) DeleteApp(id, by string) ([]Request, error) {
	return collect(records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		return C.rollkeeper_engine_delete_app(engine, a.name(id), a.optional(by), out, failure)
	})))
}

// ValidateApp gives everything that is wrong with a definition, and what has to hold before it is enabled. Nothing is
// stored.
func (e *Engine) ValidateApp(app any) (Validation, error) {
	return read[Validation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.document(app)
		return C.rollkeeper_engine_validate_app(engine, text, length, out, failure)
	}))
}

// ExportApp gives the app's definition, the same bytes whenever nothing changed. It fails with ErrNotFound.
func (e *Engine) ExportApp(id string) (string, error) {
	return e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_export_app(engine, a.name(id), out, failure)
	})
}

// ImportApp stores a definition that was exported. It fails as [Engine.PutApp].
func (e *Engine) ImportApp(app any, by string) ([]Request, error) {
	return collect(records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(app)
		return C.rollkeeper_engine_import_app(engine, text, length, a.optional(by), out, failure)
	})))
}

// TestApp asks the target of an app whether it can be reached. It fails with ErrNotFound or ErrUnknownConnector.
func (e *Engine) TestApp(id string) (AppTest, error) {
	return read[AppTest](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_test_app(engine, a.name(id), out, failure)
	}))
}

// PutUser stores a user's record and makes the requests that the change asks for.
//
// It fails with ErrInvalidJSON, ErrMissingID, ErrInvalidID, ErrInvalidTime, ErrInvalidDocument, ErrActiveRequired, or the
// codes of the store.
func (e *Engine) PutUser(user any, by string) ([]Request, error) {
	return collect(records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(user)
		return C.rollkeeper_engine_put_user(engine, text, length, a.optional(by), out, failure)
	})))
}

// PutUsers stores many users, each on its own: a bad record stops nobody else. users is a list, or text with one JSON
// object a line.
func (e *Engine) PutUsers(users any, by string) (PutUsersResult, error) {
	return read[PutUsersResult](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.document(users)
		return C.rollkeeper_engine_put_users(engine, text, length, a.optional(by), out, failure)
	}))
}

// PutUsersSnapshot stores users as PutUsers does, from the list of all users there are: who is not in it has left. Who is
// absent leaves when a second list, at least ten minutes later, is without them too, and a list that looks like a mistake
// waits for a second person; Snapshot of the result says so.
func (e *Engine) PutUsersSnapshot(users any, by string) (PutUsersResult, error) {
	return read[PutUsersResult](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		text, length := a.document(users)
		return C.rollkeeper_engine_put_users_snapshot(engine, text, length, a.optional(by), out, failure)
	}))
}

// DeleteUser says that the user has left the directory. It fails with ErrNotFound.
func (e *Engine) DeleteUser(id, by string) ([]Request, error) {
	return collect(records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		return C.rollkeeper_engine_delete_user(engine, a.name(id), a.optional(by), out, failure)
	})))
}

// User gives the user's record as stored. It fails with ErrNotFound.
func (e *Engine) User(id string) (json.RawMessage, error) {
	text, err := e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_user(engine, a.name(id), out, failure)
	})
	return json.RawMessage(text), err
}

// UserFilter says which users are asked for.
type UserFilter struct {
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the user of this id.
	After string `json:"after,omitempty"`
}

// Users goes through the users by id.
func (e *Engine) Users(filter UserFilter) iter.Seq2[json.RawMessage, error] {
	return documents(e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_users(engine, text, length, out, failure)
	}))
}

// RequestFilter says which requests are asked for; what is empty does not matter.
type RequestFilter struct {
	// App is the app's id.
	App string `json:"app,omitempty"`
	// User is the user's id.
	User string `json:"user,omitempty"`
	// State is the state they are in.
	State State `json:"state,omitempty"`
	// Operation is what they do.
	Operation string `json:"operation,omitempty"`
	// WaitingFor is what they wait for.
	WaitingFor string `json:"waiting_for,omitempty"`
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the request of this id.
	After string `json:"after,omitempty"`
}

// Requests goes through requests by id, which is by time of making. A name that does not exist gives ErrUnknownState,
// ErrUnknownOperation or ErrInvalidArgument.
func (e *Engine) Requests(filter RequestFilter) iter.Seq2[Request, error] {
	return records[Request](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_requests(engine, text, length, out, failure)
	}))
}

// Request gives one request with its attempts. It fails with ErrNotFound.
func (e *Engine) Request(id string) (RequestDetail, error) {
	return read[RequestDetail](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_request(engine, a.name(id), out, failure)
	}))
}

// Submit asks for an operation by hand; nothing is sent before notBefore, unless it is the zero time.
//
// It fails with ErrNotFound, ErrUnknownOperation or ErrOperationOff.
func (e *Engine) Submit(app, user, operation, by string, notBefore time.Time) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_submit(engine, a.name(app), a.name(user), a.name(operation), a.optional(by), a.optional(moment(notBefore)), out, failure)
	}))
}

// Cancel cancels a request that has not been sent. It fails with ErrNotFound or ErrInvalidTransition.
func (e *Engine) Cancel(id, by string) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_cancel(engine, a.name(id), a.optional(by), out, failure)
	}))
}

// Approve agrees to a request. It fails with ErrNotFound, ErrInvalidTransition, or ErrFourEyes where the same person asked
// for it.
func (e *Engine) Approve(id, by, comment string) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_approve(engine, a.name(id), a.name(by), a.optional(comment), out, failure)
	}))
}

// Deny refuses a request. It fails with ErrNotFound or ErrInvalidTransition.
func (e *Engine) Deny(id, by, comment string) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_deny(engine, a.name(id), a.name(by), a.optional(comment), out, failure)
	}))
}

// Retry has a failed request tried again and gives the new one. It fails with ErrNotFound or ErrInvalidTransition.
func (e *Engine) Retry(id, by string) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_retry(engine, a.name(id), a.name(by), out, failure)
	}))
}

// CompleteManually says that a person did what a failed request was for; externalID is the account, where there is one.
// It fails with ErrNotFound or ErrInvalidTransition.
func (e *Engine) CompleteManually(id, by, note, externalID string) (Request, error) {
	return read[Request](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_complete_manually(engine, a.name(id), a.name(by), a.name(note), a.optional(externalID), out, failure)
	}))
}

// Hold holds what the scope names: nothing of it is sent until it is resumed, removals of access neither. What was held
// already stays as it was. It fails with ErrInvalidArgument, ErrNotFound or ErrInvalidTransition.
func (e *Engine) Hold(scope HoldScope, by, reason string) (Hold, error) {
	return read[Hold](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_hold(engine, a.optional(scope.App), a.optional(scope.User), a.optional(scope.Request), a.name(by), a.name(reason), out, failure)
	}))
}

// Resume ends the hold of exactly that scope and gives it, nil where that was not held. What another hold names stays
// held. It fails as Hold does.
func (e *Engine) Resume(scope HoldScope, by string) (*Hold, error) {
	text, err := e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_resume(engine, a.optional(scope.App), a.optional(scope.User), a.optional(scope.Request), a.name(by), out, failure)
	})
	if err != nil || text == "null" {
		return nil, err
	}
	hold, err := read[Hold](text, nil)
	return &hold, err
}

// Holds goes through everything that is held, the longest held first.
func (e *Engine) Holds() iter.Seq2[Hold, error] {
	return records[Hold](e.texts(func(engine *cEngine, _ *arguments, out **cIterator, failure **cError) cStatus {
		return C.rollkeeper_engine_holds(engine, out, failure)
	}))
}

// SetMaintenance begins or ends the maintenance of an app's target; nothing is sent while it lasts. It fails with
// ErrNotFound.
func (e *Engine) SetMaintenance(app string, on bool, by string) error {
	if err := e.enter(); err != nil {
		return err
	}
	defer e.leave()
	return plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_engine_set_maintenance(e.pointer, a.name(app), C.bool(on), a.name(by), failure)
	})
}

// AccountFilter says which accounts are asked for; what is empty does not matter.
type AccountFilter struct {
	// App is the app's id.
	App string `json:"app,omitempty"`
	// User is the user's id.
	User string `json:"user,omitempty"`
	// Status is Active, Deactivated or Deleted.
	Status string `json:"status,omitempty"`
	// LinkState is Linked, Duplicate, Orphaned or Ignored.
	LinkState string `json:"link_state,omitempty"`
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the account of this app and external id.
	After *[2]string `json:"after,omitempty"`
}

// Accounts goes through accounts by app and external id.
func (e *Engine) Accounts(filter AccountFilter) iter.Seq2[Account, error] {
	return records[Account](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_accounts(engine, text, length, out, failure)
	}))
}

// Preview gives what would be sent for a user, and how each value came about. app and user are ids where they are strings,
// and documents that need not be stored otherwise (JSON text as json.RawMessage or []byte), so that a definition can be
// tried before it is put. Nothing is stored, nothing is sent, and no connector is asked.
//
// It fails with ErrNotFound, and as [Engine.PutApp] and [Engine.PutUser] for a document that cannot be read or is at fault.
func (e *Engine) Preview(app, user any) (Preview, error) {
	return read[Preview](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		appID, appText, appLength := a.idOrDocument(app)
		userID, userText, userLength := a.idOrDocument(user)
		return C.rollkeeper_engine_preview_documents(engine, appID, appText, appLength, userID, userText, userLength, out, failure)
	}))
}

// Explain gives why a user has what they have in an app. It fails with ErrNotFound.
func (e *Engine) Explain(app, user string) (Explanation, error) {
	return read[Explanation](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_explain(engine, a.name(app), a.name(user), out, failure)
	}))
}

// LogFilter says which log entries are asked for; what is empty does not matter.
type LogFilter struct {
	// App is the app's id.
	App string `json:"app,omitempty"`
	// User is the user's id.
	User string `json:"user,omitempty"`
	// Request is the request's id.
	Request string `json:"request,omitempty"`
	// Limit is the most to give; nil for no limit.
	Limit *uint32 `json:"limit,omitempty"`
	// After gives those after the entry of this number.
	After uint64 `json:"after,omitempty"`
}

// Log goes through log entries by number.
func (e *Engine) Log(filter LogFilter) iter.Seq2[LogEntry, error] {
	return records[LogEntry](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		text, length := a.document(filter)
		return C.rollkeeper_engine_log(engine, text, length, out, failure)
	}))
}

// VerifyLog says whether the log's chain holds.
func (e *Engine) VerifyLog() (LogVerdict, error) {
	return read[LogVerdict](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_verify_log(engine, out, failure)
	}))
}

// Launcher goes through the tiles of a user, one for each app in which they can work. It fails with ErrNotFound.
func (e *Engine) Launcher(user string) iter.Seq2[Tile, error] {
	return records[Tile](e.texts(func(engine *cEngine, a *arguments, out **cIterator, failure **cError) cStatus {
		return C.rollkeeper_engine_launcher(engine, a.name(user), out, failure)
	}))
}
