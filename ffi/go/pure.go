package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"time"
)

// CanChange says whether some event leads from one request state to the other. It fails with ErrUnknownState.
func CanChange(from, to State) (bool, error) {
	var allowed C.bool
	err := plainCall(func(a *arguments, failure **cError) cStatus {
		return C.rollkeeper_can_change(a.name(string(from)), a.name(string(to)), &allowed, failure)
	})
	return bool(allowed), err
}

// NextState gives the state that an event leads to. It fails with ErrInvalidTransition or ErrUnknownState.
func NextState(from State, event string) (State, error) {
	next, err := textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_next_state(a.name(string(from)), a.name(event), out, failure)
	})
	return State(next), err
}

// Evaluate gives the value of an expression for a user, as JSON. The expression sees the time now; the zero time is that
// of the system. It fails with the codes of expressions and documents.
func Evaluate(expression string, user any, now time.Time) (json.RawMessage, error) {
	text, err := textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		record, length := a.document(user)
		return C.rollkeeper_evaluate(a.name(expression), record, length, a.optional(moment(now)), out, failure)
	})
	return json.RawMessage(text), err
}

// EvaluateOptions is what an expression sees beside the user; each may be left out.
type EvaluateOptions struct {
	// Current are the account's attributes.
	Current any `json:"current,omitempty"`
	// App is the app, as expressions see it.
	App AppNames `json:"app"`
	// Iteration counts the candidates for a unique value that were refused.
	Iteration uint32 `json:"iteration"`
	// Token is the same as text.
	Token string `json:"token"`
	// Now is the time; the zero time is that of the system.
	Now time.Time `json:"-"`
	// Tables are what lookup finds values in, by their names.
	Tables any `json:"tables,omitempty"`
}

// AppNames is an app, as expressions see it.
type AppNames struct {
	// ID is its id.
	ID string `json:"id"`
	// Label is its label.
	Label string `json:"label"`
}

// EvaluateWith is [Evaluate] with more for the expression to see.
func EvaluateWith(expression string, user any, options EvaluateOptions) (json.RawMessage, error) {
	text, err := textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		record, length := a.document(user)
		more, moreLength := a.document(options)
		return C.rollkeeper_evaluate_with(a.name(expression), record, length, more, moreLength, a.optional(moment(options.Now)), out, failure)
	})
	return json.RawMessage(text), err
}

// ExpressionReport is what can be told of an expression without evaluating it.
type ExpressionReport struct {
	Record
	// Place is where it stands in a definition, such as mapping[2].expression; "" for one that stands alone.
	Place string `json:"place"`
	// Variables are those that it names.
	Variables []string `json:"variables"`
	// Functions are those that it calls.
	Functions []string `json:"functions"`
	// Paths are the user attributes that it reads; "*" where it may read any.
	Paths []string `json:"paths"`
	// Type is the type that it gives, as far as it is known.
	Type string `json:"type"`
	// Cost is the most steps that it takes on a record of ordinary size.
	Cost uint32 `json:"cost"`
}

// CheckExpression gives what can be told of an expression without evaluating it. tables are nil or those that lookup may
// name. It fails with the codes of expressions, each fault with its position.
func CheckExpression(expression string, tables any) (ExpressionReport, error) {
	return read[ExpressionReport](textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		known, length := a.optionalDocument(tables)
		return C.rollkeeper_check_expression(a.name(expression), known, length, out, failure)
	}))
}

// Rendering is what a mapping makes of a user.
type Rendering struct {
	Record
	// Attributes are the wanted ones.
	Attributes json.RawMessage `json:"attributes"`
	// Changes lead from the current attributes to the wanted ones.
	Changes []RenderedChange `json:"changes"`
	// Skipped are the rules without effect, and why.
	Skipped []SkippedRule `json:"skipped"`
}

// RenderedChange is a change and the rule behind it.
type RenderedChange struct {
	Change
	// Rule is the rule that made it.
	Rule json.RawMessage `json:"rule,omitempty"`
}

// SkippedRule is a rule without effect.
type SkippedRule struct {
	// Rule is the rule.
	Rule json.RawMessage `json:"rule"`
	// Reason says why it has no effect.
	Reason string `json:"reason"`
}

// Render gives what a mapping, a list of rules, makes of a user. current is nil or the account's attributes as they are;
// last is nil or as they were last sent; now is as for [Evaluate]. It fails with one error that lists every fault.
func Render(mapping, user, current, last any, now time.Time) (Rendering, error) {
	return read[Rendering](textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		rules, rulesLength := a.document(mapping)
		record, recordLength := a.document(user)
		is, isLength := a.optionalDocument(current)
		was, wasLength := a.optionalDocument(last)
		return C.rollkeeper_render(rules, rulesLength, record, recordLength, is, isLength, was, wasLength, a.optional(moment(now)), out, failure)
	}))
}

// Judgement says which of some accounts belongs to a user.
type Judgement struct {
	Record
	// Decision is "linked", "none", "candidates" or "ambiguous".
	Decision string `json:"decision"`
	// Candidates are the accounts that may be the user's, the surest first.
	Candidates []Candidate `json:"candidates"`
}

// Candidate is an account that may be the user's.
type Candidate struct {
	// ExternalID is its id at the target.
	ExternalID string `json:"external_id"`
	// Confidence is how sure the rules are together, above 0 and at most 1.
	Confidence float64 `json:"confidence"`
	// Rules are those that match, counted from 0.
	Rules []int `json:"rules"`
}

// MatchAccounts gives which of some accounts of a target belongs to a user. matching is what an app has under that key;
// accounts is a list of accounts, of which external_id and attributes matter. It fails with one error that lists every
// fault.
func MatchAccounts(matching, user, accounts any) (Judgement, error) {
	return read[Judgement](textCall(func(a *arguments, out **C.char, failure **cError) cStatus {
		rules, rulesLength := a.document(matching)
		record, recordLength := a.document(user)
		list, listLength := a.document(accounts)
		return C.rollkeeper_match_accounts(rules, rulesLength, record, recordLength, list, listLength, out, failure)
	}))
}

// moment writes a time in RFC 3339, and the zero time as "".
func moment(now time.Time) string {
	if now.IsZero() {
		return ""
	}
	return now.Format(time.RFC3339Nano)
}
