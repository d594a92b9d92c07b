package rollkeeper

/*
#include "rollkeeper.h"
*/
import "C"

import (
	"encoding/json"
	"runtime"
	"time"
)

// Discovery is what an app's target says about itself.
type Discovery struct {
	Record
	// App is the app's id.
	App string `json:"app"`
	// Attributes are those of a user at the target.
	Attributes []SchemaAttribute `json:"attributes"`
	// Features is what the target says that it can do, by feature: whether it is supported, and its limits.
	Features map[string]map[string]any `json:"features"`
	// ResourceTypes are the kinds of resources that the target has.
	ResourceTypes []ResourceType `json:"resource_types"`
	// Source is target, built_in or connector: who said what the attributes are.
	Source string `json:"source"`
	// Complete says whether every attribute of a user is told.
	Complete bool `json:"complete"`
	// Findings is what could not be read or believed.
	Findings []Fault `json:"findings"`
	// Changed is what is different from the last time.
	Changed []SchemaChange `json:"changed"`
	// Broken is what of the app's definition does not fit the target any more.
	Broken []Fault `json:"broken"`
	// Groups are those that the target has, where its connector tells them.
	Groups []TargetGroup `json:"groups,omitempty"`
	// DiscoveredAt is when the target was asked.
	DiscoveredAt time.Time `json:"discovered_at"`
}

// ResourceType is a kind of resource.
type ResourceType struct {
	// Name is its name, such as User.
	Name string `json:"name"`
	// Endpoint is the last part of its address.
	Endpoint string `json:"endpoint"`
	// Schema is the URN of its own schema.
	Schema string `json:"schema"`
	// Extensions are the URNs of the schemas that extend it.
	Extensions []string `json:"extensions"`
}

// SchemaChange is one change of a target's schema.
type SchemaChange struct {
	// Path is the attribute.
	Path string `json:"path"`
	// Kind is added, removed, type, multi_valued, required, case_exact, read_only or canonical_values.
	Kind string `json:"kind"`
}

// MappingSuggestion is a proposed mapping.
type MappingSuggestion struct {
	Record
	// Mapping are the rules, to be put into the app as they are.
	Mapping json.RawMessage `json:"mapping"`
	// Matching are the matching rules that go with them.
	Matching json.RawMessage `json:"matching"`
	// Suggestions say why each rule of the mapping is proposed, in its order.
	Suggestions []RuleSuggestion `json:"suggestions"`
	// Missing are attributes that the target requires and for which nothing fits.
	Missing []string `json:"missing"`
	// Unused are attributes of the users that no rule uses.
	Unused []string `json:"unused"`
}

// RuleSuggestion says why a rule is proposed.
type RuleSuggestion struct {
	// Rule is the place of the rule in the mapping, from 0.
	Rule int `json:"rule"`
	// Target is the attribute that it writes.
	Target string `json:"target"`
	// Confidence is how sure it is, above 0 and at most 1.
	Confidence float64 `json:"confidence"`
	// Because is what speaks for it.
	Because string `json:"because"`
}

// Discover asks an app's target what attributes it has and what it can do, and keeps the answer: mappings are checked
// against it from then on. A target in trouble is an answer, not an error.
//
// It fails with ErrNotFound, ErrUnknownConnector, ErrSecretMissing, or the codes of the store.
func (e *Engine) Discover(app string) (Discovery, error) {
	return read[Discovery](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_discover(engine, a.name(app), out, failure)
	}))
}

// ProbeOptions say what a probe may do.
type ProbeOptions struct {
	// Sandbox says that accounts may be made at the target and taken away again. Without it nothing is probed.
	Sandbox bool
	// By says who asks for it, for the log; it may be empty.
	By string
}

// ProbeReport is what a probe found out.
type ProbeReport struct {
	Record
	// App is the app.
	App string `json:"app"`
	// Name is how the names of the accounts begin that were made for it.
	Name string `json:"name"`
	// Findings are what was tried, in order.
	Findings []ProbeFinding `json:"findings"`
	// Features are what follows, under the names of `connector.features`.
	Features json.RawMessage `json:"features"`
	// Left are what could not be taken away again.
	Left []LeftBehind `json:"left"`
	// Faults are what is wrong.
	Faults []Fault `json:"faults"`
	// ProbedAt is when it was done.
	ProbedAt time.Time `json:"probed_at"`
}

// ProbeFinding is one thing that was tried.
type ProbeFinding struct {
	// Step is its name.
	Step string `json:"step"`
	// Tried is what was tried, in words.
	Tried string `json:"tried"`
	// Answered are the requests with the status of each answer, in order.
	Answered []string `json:"answered"`
	// Conclusion is what is concluded, as one word.
	Conclusion string `json:"conclusion"`
	// Value is what belongs to the conclusion, or nothing.
	Value json.RawMessage `json:"value,omitempty"`
}

// LeftBehind is something that a probe made and could not take away.
type LeftBehind struct {
	// Kind is `account` or `group`.
	Kind string `json:"kind"`
	// ExternalID is its id at the target, where it is known.
	ExternalID string `json:"external_id,omitempty"`
	// Name is its name.
	Name string `json:"name"`
	// Why says why it may be there.
	Why string `json:"why"`
}

// Probe finds out how an app's SCIM target takes what it is sent, by making an account or two and a group there, changing
// them and taking them away again. What follows is used from then on where the definition does not say otherwise. It may
// take some minutes. A target in trouble is an answer, not an error.
//
// It fails with ErrSandboxRequired, ErrNotFound, ErrUnsupported, ErrSecretMissing, ErrOperationOff, or the codes of the
// store.
func (e *Engine) Probe(app string, options ProbeOptions) (ProbeReport, error) {
	return read[ProbeReport](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_probe(engine, a.name(app), C.bool(options.Sandbox), a.optional(options.By), out, failure)
	}))
}

// SuggestMapping proposes mapping and matching rules for an app, from the attributes of the users in the store and those
// of the target. It fails with ErrNotFound.
func (e *Engine) SuggestMapping(app string) (MappingSuggestion, error) {
	return read[MappingSuggestion](e.text(func(engine *cEngine, a *arguments, out **C.char, failure **cError) cStatus {
		return C.rollkeeper_engine_suggest_mapping(engine, a.name(app), out, failure)
	}))
}

// SetSchema tells the target which attributes it has from now on, a list of [SchemaAttribute].
func (t *MockTarget) SetSchema(attributes any) error {
	defer runtime.KeepAlive(t)
	return plainCall(func(a *arguments, failure **cError) cStatus {
		text, length := a.document(attributes)
		return C.rollkeeper_mock_target_set_schema(t.pointer, text, length, failure)
	})
}
