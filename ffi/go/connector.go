package rollkeeper

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Connector is a target's face towards the engine. Methods may be called from several goroutines at once. Embed
// [UnsupportedConnector] and write the methods that the target has.
//
// A failure is a [*ConnectorError]. Any other error or a panic is ambiguous for a write and without effect for a read.
type Connector interface {
	// Capabilities says what the target can do.
	Capabilities() Capabilities
	// Test says whether the target can be reached and accepts the credentials, without changing anything.
	Test() error
	// Schema gives the target's attributes.
	Schema() ([]SchemaAttribute, error)
	// Find gives the accounts whose attribute (a path such as userName or emails.value) equals value.
	Find(attribute string, value any) ([]TargetAccount, error)
	// Read gives one account, nil where the target says that it does not exist.
	Read(externalID string) (*TargetAccount, error)
	// Create makes an account. The key is the same in every attempt of one request.
	Create(attributes map[string]any, idempotencyKey string) (*TargetAccount, error)
	// Update changes an account and gives it as it is afterwards, nil where the target does not say. version is the one last
	// seen, or "".
	Update(externalID string, changes []Change, version string) (*TargetAccount, error)
	// Activate enables an account. Done twice, it does no harm.
	Activate(externalID string) error
	// Deactivate disables an account. Done twice, it does no harm.
	Deactivate(externalID string) error
	// Freeze suspends an account.
	Freeze(externalID string) error
	// Unfreeze ends a suspension.
	Unfreeze(externalID string) error
	// Delete removes an account. One that does not exist counts as removed.
	Delete(externalID string) error
	// List gives one page of all accounts, from the start where cursor is "".
	List(cursor, filter string) (Page, error)
	// Changes gives the accounts changed since the token, and the next token.
	Changes(token string) ([]TargetAccount, string, error)
	// ListGroups gives one page of groups, each with id, display_name and, where they are shown, members, and the next cursor.
	ListGroups(cursor string) ([]map[string]any, string, error)
	// ChangeMembers adds members to a group and removes others, by external id.
	ChangeMembers(group string, add, remove []string) error
}

// Capabilities say what a target can do.
type Capabilities struct {
	// Search says that Find works.
	Search bool `json:"search"`
	// IdempotencyKey says that Create may be repeated with the same key without harm.
	IdempotencyKey bool `json:"idempotency_key"`
	// ConditionalWrite says that Update refuses an old version.
	ConditionalWrite bool `json:"conditional_write"`
	// UniqueKeys are attributes of which the target refuses a second holder.
	UniqueKeys []string `json:"unique_keys"`
	// Freeze says that Freeze and Unfreeze work.
	Freeze bool `json:"freeze"`
	// Groups says that groups work.
	Groups bool `json:"groups"`
	// Changes says that Changes works.
	Changes bool `json:"changes"`
}

// SchemaAttribute is one attribute of a target's schema.
type SchemaAttribute struct {
	// Path is userName, name.familyName, …
	Path string `json:"path"`
	// Type is string, boolean, decimal, integer, dateTime, reference, binary or complex.
	Type string `json:"type"`
	// MultiValued says whether it holds several values.
	MultiValued bool `json:"multi_valued"`
	// Required says whether the target refuses an account without it.
	Required bool `json:"required"`
	// CaseExact says whether letter case matters.
	CaseExact bool `json:"case_exact"`
	// ReadOnly says whether it cannot be written.
	ReadOnly bool `json:"read_only"`
	// CanonicalValues are the values that the target knows.
	CanonicalValues []string `json:"canonical_values,omitempty"`
}

// TargetAccount is an account as the target shows it.
type TargetAccount struct {
	// ExternalID is the account's id at the target, never empty.
	ExternalID string `json:"external_id"`
	// Username is the name to log in with, where the target has one.
	Username string `json:"username,omitempty"`
	// Active says whether it can be used.
	Active bool `json:"active"`
	// Frozen says whether it is suspended.
	Frozen bool `json:"frozen"`
	// Attributes are everything that the target showed.
	Attributes map[string]any `json:"attributes,omitempty"`
	// Version is the target's version of the account.
	Version string `json:"version,omitempty"`
}

// Change is one change of one attribute.
type Change struct {
	// Op is add, remove or replace.
	Op string `json:"op"`
	// Path is the attribute path.
	Path string `json:"path"`
	// Value is nil for a removal. Numbers are [json.Number].
	Value any `json:"value,omitempty"`
}

// Page is one page of accounts.
type Page struct {
	// Accounts are the accounts.
	Accounts []TargetAccount `json:"accounts"`
	// Next is where the next page starts; "" after the last.
	Next string `json:"next,omitempty"`
	// Complete says, on the last page, whether the listing is proved to be whole.
	Complete bool `json:"complete"`
	// Total is how many accounts the target says that the whole listing has; nil where it does not say. What the last page
	// says counts.
	Total *int64 `json:"total,omitempty"`
}

// Outcome is what a failed call means for the target's state.
type Outcome int

// The outcomes. Their numbers are those of the C interface.
const (
	// NotApplied: nothing reached the target, or it promised to have done nothing. Only this may be repeated blindly.
	NotApplied Outcome = iota + 1
	// Rejected: the target refused; trying the same again will not help.
	Rejected
	// Ambiguous: nobody knows whether the target did it.
	Ambiguous
	// Conflict: such an account exists already.
	Conflict
)

// ConnectorError says why a connector's method failed.
type ConnectorError struct {
	// Outcome is what it means for the target's state.
	Outcome Outcome
	// Code is a name such as rate_limited.
	Code Code
	// Message is one line for the operator, without attribute values and secrets.
	Message string
	// RetryAfter is how long the target asked to wait; 0 where it did not.
	RetryAfter time.Duration
	// ExternalID is the account that the target named, where it did.
	ExternalID string
}

// Error gives code and message.
func (e *ConnectorError) Error() string { return string(e.Code) + ": " + e.Message }

// Is makes errors.Is compare with a [Code].
func (e *ConnectorError) Is(target error) bool {
	code, ok := target.(Code)
	return ok && code == e.Code
}

func unsupported(method string) *ConnectorError {
	return &ConnectorError{Outcome: Rejected, Code: ErrUnsupported, Message: "the connector has no `" + method + "`"}
}

// UnsupportedConnector has every method and supports none: each fails with ErrUnsupported.
type UnsupportedConnector struct{}

var _ Connector = UnsupportedConnector{}

// Capabilities says that the target can do nothing.
func (UnsupportedConnector) Capabilities() Capabilities { return Capabilities{} }

// Test is not supported.
func (UnsupportedConnector) Test() error { return unsupported("test") }

// Schema is not supported.
func (UnsupportedConnector) Schema() ([]SchemaAttribute, error) { return nil, unsupported("schema") }

// Find is not supported.
func (UnsupportedConnector) Find(string, any) ([]TargetAccount, error) {
	return nil, unsupported("find")
}

// Read is not supported.
func (UnsupportedConnector) Read(string) (*TargetAccount, error) { return nil, unsupported("read") }

// Create is not supported.
func (UnsupportedConnector) Create(map[string]any, string) (*TargetAccount, error) {
	return nil, unsupported("create")
}

// Update is not supported.
func (UnsupportedConnector) Update(string, []Change, string) (*TargetAccount, error) {
	return nil, unsupported("update")
}

// Activate is not supported.
func (UnsupportedConnector) Activate(string) error { return unsupported("activate") }

// Deactivate is not supported.
func (UnsupportedConnector) Deactivate(string) error { return unsupported("deactivate") }

// Freeze is not supported.
func (UnsupportedConnector) Freeze(string) error { return unsupported("freeze") }

// Unfreeze is not supported.
func (UnsupportedConnector) Unfreeze(string) error { return unsupported("unfreeze") }

// Delete is not supported.
func (UnsupportedConnector) Delete(string) error { return unsupported("delete") }

// List is not supported.
func (UnsupportedConnector) List(string, string) (Page, error) { return Page{}, unsupported("list") }

// Changes is not supported.
func (UnsupportedConnector) Changes(string) ([]TargetAccount, string, error) {
	return nil, "", unsupported("changes")
}

// ListGroups is not supported.
func (UnsupportedConnector) ListGroups(string) ([]map[string]any, string, error) {
	return nil, "", unsupported("list_groups")
}

// ChangeMembers is not supported.
func (UnsupportedConnector) ChangeMembers(string, []string, []string) error {
	return unsupported("change_members")
}

// question is what any method is asked.
type question struct {
	Attribute      string         `json:"attribute"`
	Value          any            `json:"value"`
	ExternalID     string         `json:"external_id"`
	Attributes     map[string]any `json:"attributes"`
	IdempotencyKey string         `json:"idempotency_key"`
	Changes        []Change       `json:"changes"`
	Version        string         `json:"version"`
	Cursor         string         `json:"cursor"`
	Filter         string         `json:"filter"`
	Token          string         `json:"token"`
	Group          string         `json:"group"`
	Add            []string       `json:"add"`
	Remove         []string       `json:"remove"`
}

// A method of the C table: how it is asked, and whether it may change something at the target.
type method struct {
	writes bool
	call   func(connector Connector, asked question) (any, error)
}

func orders(call func(connector Connector, asked question) error) method {
	return method{true, func(connector Connector, asked question) (any, error) { return nil, call(connector, asked) }}
}

// methods are in the order of the numbers in callback.c.
var methods = []method{
	{false, func(c Connector, _ question) (any, error) { return capabilitiesOf(c), nil }},
	{false, func(c Connector, _ question) (any, error) { return nil, c.Test() }},
	{false, func(c Connector, _ question) (any, error) { return listed(c.Schema()) }},
	{false, func(c Connector, asked question) (any, error) { return listed(c.Find(asked.Attribute, asked.Value)) }},
	{false, func(c Connector, asked question) (any, error) { return c.Read(asked.ExternalID) }},
	{true, func(c Connector, asked question) (any, error) {
		return c.Create(asked.Attributes, asked.IdempotencyKey)
	}},
	{true, func(c Connector, asked question) (any, error) {
		return c.Update(asked.ExternalID, asked.Changes, asked.Version)
	}},
	orders(func(c Connector, asked question) error { return c.Activate(asked.ExternalID) }),
	orders(func(c Connector, asked question) error { return c.Deactivate(asked.ExternalID) }),
	orders(func(c Connector, asked question) error { return c.Freeze(asked.ExternalID) }),
	orders(func(c Connector, asked question) error { return c.Unfreeze(asked.ExternalID) }),
	orders(func(c Connector, asked question) error { return c.Delete(asked.ExternalID) }),
	{false, func(c Connector, asked question) (any, error) {
		page, err := c.List(asked.Cursor, asked.Filter)
		page.Accounts = notNil(page.Accounts)
		return page, err
	}},
	{false, func(c Connector, asked question) (any, error) {
		accounts, token, err := c.Changes(asked.Token)
		return map[string]any{"accounts": notNil(accounts), "token": token}, err
	}},
	{false, func(c Connector, asked question) (any, error) {
		groups, next, err := c.ListGroups(asked.Cursor)
		answer := map[string]any{"groups": notNil(groups)}
		if next != "" {
			answer["next"] = next
		}
		return answer, err
	}},
	orders(func(c Connector, asked question) error { return c.ChangeMembers(asked.Group, asked.Add, asked.Remove) }),
}

// notNil makes JSON's empty list of Go's nil.
func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func listed[T any](list []T, err error) (any, error) { return notNil(list), err }

func capabilitiesOf(connector Connector) Capabilities {
	can := connector.Capabilities()
	can.UniqueKeys = notNil(can.UniqueKeys)
	return can
}

// ask calls a connector's method and gives its answer as JSON, "" for none, or the failure.
func (m method) ask(connector Connector, request []byte) (answer []byte, failure *ConnectorError) {
	unclear := NotApplied
	if m.writes {
		unclear = Ambiguous
	}
	defer func() {
		if value := recover(); value != nil {
			answer, failure = nil, &ConnectorError{Outcome: unclear, Code: ErrConnectorFailed, Message: fmt.Sprintf("the connector panicked with a `%T`", value)}
		}
	}()
	var asked question
	if err := decode(request, &asked); err != nil {
		return nil, &ConnectorError{Outcome: NotApplied, Code: ErrConnectorFailed, Message: "the request cannot be read"}
	}
	given, err := m.call(connector, asked)
	if err != nil {
		return nil, failureOf(err, unclear)
	}
	if given == nil {
		return nil, nil
	}
	if answer, err = json.Marshal(given); err != nil {
		return nil, &ConnectorError{Outcome: unclear, Code: ErrInvalidAnswer, Message: "the connector's answer cannot be written as JSON"}
	}
	return answer, nil
}

// failureOf tells a failure. The text of a foreign error may hold values, so only its type is told.
func failureOf(err error, unclear Outcome) *ConnectorError {
	var failure *ConnectorError
	if errors.As(err, &failure) && failure != nil {
		return failure
	}
	if errors.Is(err, ErrUnsupported) {
		return &ConnectorError{Outcome: Rejected, Code: ErrUnsupported, Message: "the connector does not support this"}
	}
	return &ConnectorError{Outcome: unclear, Code: ErrConnectorFailed, Message: fmt.Sprintf("the connector returned an error of type `%T`", err)}
}
