package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"bytes"
	"encoding/json"
	"iter"
	"runtime"
	"time"
)

// Record is part of every record.
type Record struct {
	// Raw is the record's JSON text with sorted keys, the same bytes in every language.
	Raw json.RawMessage `json:"-"`
}

func (r *Record) keep(text string) { r.Raw = json.RawMessage(text) }

type record[T any] interface {
	*T
	keep(text string)
}

// State is the state of a request.
type State string

// The states of a request.
const (
	New               State = "New"
	Requested         State = "Requested"
	Collecting        State = "Collecting"
	Collected         State = "Collected"
	Analyzing         State = "Analyzing"
	Analyzed          State = "Analyzed"
	Committing        State = "Committing"
	Completed         State = "Completed"
	Failed            State = "Failed"
	Retried           State = "Retried"
	ManuallyCompleted State = "ManuallyCompleted"
	Cancelled         State = "Cancelled"
)

// Hold is what a person holds: nothing of what it names is sent until it is resumed.
type Hold struct {
	Record
	HoldScope
	// By says who holds it.
	By string `json:"by"`
	// Reason says why.
	Reason string `json:"reason"`
	// HeldAt says since when.
	HeldAt time.Time `json:"held_at"`
}

// HoldScope names what is held: an app, a user, both for one user in one app, or a request alone.
type HoldScope struct {
	// App is the app's id.
	App string `json:"app,omitempty"`
	// User is the user's id.
	User string `json:"user,omitempty"`
	// Request is the request's id.
	Request string `json:"request,omitempty"`
}

// Request is one provisioning action for one user and app.
type Request struct {
	Record
	// ID sorts by the time of making.
	ID string `json:"id"`
	// App is the app's id.
	App string `json:"app"`
	// User is the user's id; empty for a reconciliation.
	User string `json:"user,omitempty"`
	// Operation is what is done: Create, Update, Deactivate, …
	Operation string `json:"operation"`
	// State says how far it is.
	State State `json:"state"`
	// Approval is NotRequired, Required, Approved, Denied or Expired.
	Approval string `json:"approval"`
	// WaitingFor says why it is not moving, where it is not.
	WaitingFor string `json:"waiting_for,omitempty"`
	// Why says why it was made.
	Why string `json:"why"`
	// By says who made the change behind it.
	By string `json:"by,omitempty"`
	// CreatedAt is when it was made.
	CreatedAt time.Time `json:"created_at"`
	// NotBefore is before when it must not be sent.
	NotBefore *time.Time `json:"not_before,omitempty"`
	// DueAt is when something happens next, where that is known.
	DueAt *time.Time `json:"due_at,omitempty"`
	// FinishedAt is when it finished.
	FinishedAt *time.Time `json:"finished_at,omitempty"`
	// Attempts counts the attempts.
	Attempts int `json:"attempts"`
	// RetryCount counts how often a person had it tried again before.
	RetryCount int `json:"retry_count"`
	// ParentID is the request that this one tries again.
	ParentID string `json:"parent_id,omitempty"`
	// ExternalID is the account it concerns, once known.
	ExternalID string `json:"external_id,omitempty"`
	// Verified says whether a read-back confirmed a removal of access, where that applies.
	Verified *bool `json:"verified,omitempty"`
	// Faults is what is wrong, where something is.
	Faults []Fault `json:"faults,omitempty"`
}

// Attempt is one try at a request.
type Attempt struct {
	// Number counts from 1.
	Number int `json:"number"`
	// StartedAt is when its intent was stored.
	StartedAt time.Time `json:"started_at"`
	// EndedAt is when its outcome was stored.
	EndedAt *time.Time `json:"ended_at,omitempty"`
	// Outcome is applied, not_applied, rejected, ambiguous or conflict; empty while it is open.
	Outcome string `json:"outcome,omitempty"`
	// Code is the failure's code.
	Code Code `json:"code,omitempty"`
	// Message is the failure's message.
	Message string `json:"message,omitempty"`
}

// RequestDetail is a request with its attempts and what it sends.
type RequestDetail struct {
	Request
	// History is its attempts in order.
	History []Attempt `json:"history"`
	// Payload is what the last attempt sent, where there was one and it can be unsealed.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Account is a user account in a target, as last seen, with its link.
type Account struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// ExternalID is the account's id at the target.
	ExternalID string `json:"external_id"`
	// Username is the name to log in with.
	Username string `json:"username,omitempty"`
	// User is the id of the user who owns it.
	User string `json:"user,omitempty"`
	// Status is Active, Deactivated or Deleted.
	Status string `json:"status"`
	// Frozen says whether it is suspended.
	Frozen bool `json:"frozen"`
	// LinkState is Linked, Duplicate, Orphaned or Ignored.
	LinkState string `json:"link_state"`
	// KnownLink says whether a person manages the link.
	KnownLink bool `json:"known_link"`
	// CreatedAt is when it was first linked or seen.
	CreatedAt time.Time `json:"created_at"`
	// UpdatedAt is when our record last changed.
	UpdatedAt time.Time `json:"updated_at"`
	// DeletedAt is when it was found to be gone.
	DeletedAt *time.Time `json:"deleted_at,omitempty"`
	// Attributes are those last seen or applied, where they could be unsealed.
	Attributes json.RawMessage `json:"attributes,omitempty"`
	// Version is the target's version.
	Version string `json:"version,omitempty"`
}

// LogEntry is one entry of the log. It holds names and outcomes, never attribute values.
type LogEntry struct {
	Record
	// Sequence counts from 1, without gaps.
	Sequence uint64 `json:"sequence"`
	// At is when it was written.
	At time.Time `json:"at"`
	// Kind is what happened.
	Kind string `json:"kind"`
	// App is the app, where it concerns one.
	App string `json:"app,omitempty"`
	// User is the user, where it concerns one.
	User string `json:"user,omitempty"`
	// Request is the request, where it concerns one.
	Request string `json:"request,omitempty"`
	// By says who asked for it, as the host asserts.
	By string `json:"by,omitempty"`
	// Details hold more, by kind.
	Details json.RawMessage `json:"details"`
	// Hash covers every field and the hash of the entry before.
	Hash string `json:"hash"`
}

// LogVerdict says whether the log's chain holds.
type LogVerdict struct {
	Record
	// Whole says whether every entry follows from the one before.
	Whole bool `json:"whole"`
	// Entries counts the entries.
	Entries uint64 `json:"entries"`
	// Head is the newest entry's hash. Keep it elsewhere to notice that entries were cut off.
	Head string `json:"head"`
	// BrokenAt is the first entry that does not hold.
	BrokenAt *uint64 `json:"broken_at,omitempty"`
}

// PutUsersResult says what came of a list of users.
type PutUsersResult struct {
	Record
	// Stored counts those that were stored.
	Stored int `json:"stored"`
	// Unchanged counts those of them that made no request.
	Unchanged int `json:"unchanged"`
	// Requests counts the requests made.
	Requests int `json:"requests"`
	// Faults are those that were not stored.
	Faults []UserFault `json:"faults"`
	// Snapshot tells what follows from absence, where the list was said to be of all users.
	Snapshot *PutSnapshot `json:"snapshot,omitempty"`
}

// PutSnapshot says what followed for the users who are not in a list of all users.
type PutSnapshot struct {
	// Verdict is `complete`, `incomplete` or `suspect`.
	Verdict string `json:"verdict"`
	// Why says why nothing, or not everything, may be concluded from absence.
	Why []string `json:"why"`
	// Leavers counts the users who left.
	Leavers int `json:"leavers"`
	// Noted counts those who are absent and stay until a second list confirms it.
	Noted int `json:"noted"`
	// Held counts those who wait for a second person.
	Held int `json:"held"`
	// Reconciliation is the id of the reconciliation of those who left or are held.
	Reconciliation string `json:"reconciliation,omitempty"`
	// Memberships are the ids of the plans of memberships that the records would take away and that are held.
	Memberships []string `json:"memberships,omitempty"`
}

// UserFault is a record of a list that was not stored.
type UserFault struct {
	Fault
	// Index is its place in the list, from 0.
	Index int `json:"index"`
	// ID is its id, where it has a readable one.
	ID string `json:"id,omitempty"`
}

// Validation is what stands between an app's definition and its use.
type Validation struct {
	Record
	// Findings is everything that is wrong.
	Findings []Fault `json:"findings"`
	// Warnings is what is allowed and yet hardly meant.
	Warnings []Fault `json:"warnings"`
	// Readiness is what has to hold before the app is enabled.
	Readiness []Readiness `json:"readiness"`
	// Ready says whether nothing is wrong and everything holds.
	Ready bool `json:"ready"`
	// Expressions tells what the definition's expressions name, read, give and cost.
	Expressions []ExpressionReport `json:"expressions"`
}

// Readiness is one item of what has to hold.
type Readiness struct {
	// Item is connector, credentials, mapping, matching, operations or pilot.
	Item string `json:"item"`
	// Ready says whether it holds.
	Ready bool `json:"ready"`
	// Detail says what is missing, or what was found.
	Detail string `json:"detail"`
}

// AppTest says whether a target can be reached, and what it can do.
type AppTest struct {
	Record
	// Passed says whether it can be reached and accepts the credentials.
	Passed bool `json:"passed"`
	// Fault is what is in the way.
	Fault *Fault `json:"fault,omitempty"`
	// Capabilities are what the target can do.
	Capabilities Capabilities `json:"capabilities"`
}

// Preview is what would be sent for a user, and how each value came about.
type Preview struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// User is the user's id.
	User string `json:"user"`
	// Operations would be sent, in order.
	Operations []PreviewOperation `json:"operations"`
	// Attributes are the wanted ones.
	Attributes json.RawMessage `json:"attributes"`
	// Rules holds each rule with its inputs, its result and its changes, or why it was skipped.
	Rules json.RawMessage `json:"rules"`
	// Faults is what is wrong; nothing would be sent where something is.
	Faults []Fault `json:"faults"`
	// Withheld was decided and is held back.
	Withheld []WithheldOperation `json:"withheld"`
	// Create is what a Create would send, whether or not one is due.
	Create PreviewCreate `json:"create"`
	// Update is what an Update would send, whether or not one is due.
	Update PreviewUpdate `json:"update"`
	// Memberships are those of groups that there are, that would be given, and that would be taken away.
	Memberships []Membership `json:"memberships,omitempty"`
}

// PreviewOperation is one operation of a preview.
type PreviewOperation struct {
	// Operation is what would be done.
	Operation string `json:"operation"`
	// Why says why.
	Why string `json:"why"`
	// Payload is what would be sent.
	Payload json.RawMessage `json:"payload,omitempty"`
}

// Explanation says why a user has what they have in an app.
type Explanation struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// User is the user's id.
	User string `json:"user"`
	// Summary says it in one sentence.
	Summary string `json:"summary"`
	// Wanted is none, active, inactive, frozen or deleted.
	Wanted string `json:"wanted"`
	// Because lists the reasons in order.
	Because []string `json:"because"`
	// Steps says how it came about: import, match, scope, evaluate, provision.
	Steps []ExplanationStep `json:"steps"`
	// Account is the account, where there is one.
	Account *Account `json:"account,omitempty"`
	// Matched is what the matching rules found last, where they did.
	Matched *Judgement `json:"matched,omitempty"`
	// Requests are those that are not finished or failed last.
	Requests []Request `json:"requests"`
	// NotKept are attributes of the mapping that the app's target was seen not to keep.
	NotKept []string `json:"not_kept,omitempty"`
	// Memberships are those of groups that we gave or that are wanted.
	Memberships []Membership `json:"memberships,omitempty"`
	// Learnt is what the app's target turned out to take in another way, under the names of connector.features.
	Learnt map[string]any `json:"learnt,omitempty"`
	// LearntBy says what taught each of that: `probe`, or `use`.
	LearntBy map[string]string `json:"learnt_by,omitempty"`
}

// Membership is a membership of a group: what we did about it at the target, and whether it is wanted.
type Membership struct {
	// Group is the group's id at the target, where it is known.
	Group string `json:"group,omitempty"`
	// Reference is the group as the app's entitlement names it.
	Reference GroupReference `json:"reference"`
	// State is Adding, Held, Removing or Refused; empty where nothing was done yet.
	State string `json:"state,omitempty"`
	// Wanted says whether the user's grants ask for it now.
	Wanted bool `json:"wanted"`
	// Why tells which grants, or why it is not wanted or cannot be given.
	Why []string `json:"why"`
	// Since is when it became as it is.
	Since *time.Time `json:"since,omitempty"`
	// Request did it, or is about to.
	Request string `json:"request,omitempty"`
}

// GroupReference names a group of a target by its id or by its display name.
type GroupReference struct {
	// ID is the group's id.
	ID string `json:"id,omitempty"`
	// DisplayName is the group's name.
	DisplayName string `json:"display_name,omitempty"`
}

// TargetGroup is a group as its target told it last.
type TargetGroup struct {
	// ID is the group's id.
	ID string `json:"id"`
	// DisplayName is its name.
	DisplayName string `json:"display_name,omitempty"`
	// ExternalID is the id by which it is known elsewhere.
	ExternalID string `json:"external_id,omitempty"`
}

// Tile is a tile of the launcher.
type Tile struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// Label is the name to show.
	Label string `json:"label"`
	// URL is where it leads.
	URL string `json:"url"`
	// Icon is the picture.
	Icon string `json:"icon,omitempty"`
	// State is active or frozen.
	State string `json:"state"`
}

// Progress says how a run goes or went.
type Progress struct {
	Record
	// Done counts units of work.
	Done int `json:"done"`
	// Completed counts requests completed.
	Completed int `json:"completed"`
	// Failed counts requests failed.
	Failed int `json:"failed"`
	// Open counts requests that are not finished; it is counted when the run ends.
	Open int `json:"open"`
	// Due counts requests that are due now, no further than 10,000; it is counted when the run ends, and for RunOptions.Progress
	// once a second.
	Due int `json:"due"`
	// NextDue is when something is due next, where anything is; as of the last counting.
	NextDue *time.Time `json:"next_due,omitempty"`
	// Stopped says whether the run was cancelled or ran out of its time.
	Stopped bool `json:"stopped"`
}

// Metrics say how an engine's work stands.
type Metrics struct {
	Record
	// At is when it was so.
	At time.Time `json:"at"`
	// Logged counts the log entries that this engine wrote since its opening.
	Logged int `json:"logged"`
	// Apps has the numbers of each app by its id.
	Apps map[string]AppMetrics `json:"apps"`
}

// AppMetrics say how the work for one app stands.
type AppMetrics struct {
	// Open counts requests that are not finished, by what they wait for; "nothing" where their turn has come.
	Open map[string]int `json:"open"`
	// Due counts those whose time has come.
	Due int `json:"due"`
	// NextDue is when the next one's time comes, or came.
	NextDue *time.Time `json:"next_due,omitempty"`
	// Sending counts those of which a call is under way.
	Sending int `json:"sending"`
	// Removals counts removals of access that are not confirmed yet.
	Removals int `json:"removals"`
	// OldestRemoval is since when the oldest of them has been asked for.
	OldestRemoval *time.Time `json:"oldest_removal,omitempty"`
	// PausedUntil is until when the breaker keeps calls back, where it is open.
	PausedUntil *time.Time `json:"paused_until,omitempty"`
	// TokenIssuedAt is when the access token in use was given.
	TokenIssuedAt *time.Time `json:"token_issued_at,omitempty"`
	// CredentialsExpireAt is when credentials end that only a person can renew.
	CredentialsExpireAt *time.Time `json:"credentials_expire_at,omitempty"`
	// Attempts counts attempts since the opening by their outcome.
	Attempts map[string]int `json:"attempts"`
	// Ended counts requests that ended since the opening by how: completed, failed, cancelled.
	Ended map[string]int `json:"ended"`
}

// Alert is one thing that needs a person.
type Alert struct {
	Record
	// Kind says what it is about: approval_needed, uncertain, conflict, plan_held, …
	Kind string `json:"kind"`
	// Sequence is the number of the log entry that it is read off.
	Sequence uint64 `json:"sequence"`
	// At is when it happened.
	At time.Time `json:"at"`
	// App is the app's id; empty where it is about none.
	App string `json:"app,omitempty"`
	// User is the user's id; empty where it is about none.
	User string `json:"user,omitempty"`
	// Request is the request's or the plan's id; empty where it is about none.
	Request string `json:"request,omitempty"`
	// Code is that of the failure behind it; empty where there is none.
	Code string `json:"code,omitempty"`
	// Advice says what the person can do.
	Advice string `json:"advice"`
}

// Step says what one step did.
type Step struct {
	Record
	// Worked says whether there was something to do.
	Worked bool `json:"worked"`
	// NextDue is when something is due next.
	NextDue *time.Time `json:"next_due,omitempty"`
}

// read makes a record of JSON text. Fields that a newer library adds are found in Raw alone.
func read[T any, P record[T]](text string, err error) (T, error) {
	var value T
	if err != nil {
		return value, err
	}
	if err := decode([]byte(text), &value); err != nil {
		return value, err
	}
	P(&value).keep(text)
	return value, nil
}

// decode reads JSON and keeps numbers as they are written.
func decode(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return &Error{Code: ErrInternal, Kind: "ours", Retry: "never", Message: "a record cannot be read", cause: err}
	}
	return nil
}

// texts goes through a list's JSON texts; the list is read while it is gone through, page by page.
func (e *Engine) texts(call listCall) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		iterator, err := e.list(call)
		if err != nil {
			yield("", err)
			return
		}
		defer C.rollkeeper_iterator_free(iterator)
		// An engine that nobody else holds must not be closed in the middle of its list.
		defer runtime.KeepAlive(e)
		for {
			var text *C.char
			var failure *C.rollkeeper_error
			switch C.rollkeeper_iterator_next(iterator, &text, &failure) {
			case C.ROLLKEEPER_OK:
				if !yield(takeText(text), nil) {
					return
				}
			case C.ROLLKEEPER_DONE:
				return
			default:
				yield("", takeError(failure))
				return
			}
		}
	}
}

// records goes through a list's records.
func records[T any, P record[T]](texts iter.Seq2[string, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for text, err := range texts {
			if !yield(read[T, P](text, err)) {
				return
			}
		}
	}
}

// recordsUntilDone goes through records, each of which next gives as JSON; it gives nothing after the last.
func recordsUntilDone[T any, P record[T]](next func() (*string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			text, err := next()
			if text == nil && err == nil {
				return
			}
			var value T
			if err == nil {
				value, err = read[T, P](*text, nil)
			}
			if !yield(value, err) || err != nil {
				return
			}
		}
	}
}

// documents goes through a list's documents as they are.
func documents(texts iter.Seq2[string, error]) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		for text, err := range texts {
			if !yield(json.RawMessage(text), err) {
				return
			}
		}
	}
}

// collect reads a whole list.
func collect[T any](list iter.Seq2[T, error]) ([]T, error) {
	var all []T
	for one, err := range list {
		if err != nil {
			return all, err
		}
		all = append(all, one)
	}
	return all, nil
}
