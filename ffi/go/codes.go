package rollkeeper

// Code is the stable name of a failure. It is an error itself, to be compared with by [errors.Is].
type Code string

// Error gives the name.
func (c Code) Error() string { return string(c) }

// The codes of all failures. A test keeps them and tests/data/codes.csv alike.
const (
	// ErrInvalidJSON: the text is not JSON.
	ErrInvalidJSON Code = "invalid_json"
	// ErrInvalidDocument: a document does not have the shape it must have.
	ErrInvalidDocument Code = "invalid_document"
	// ErrUnknownKey: a document has a key that does not exist.
	ErrUnknownKey Code = "unknown_key"
	// ErrMissingID: a document has no `id`.
	ErrMissingID Code = "missing_id"
	// ErrInvalidID: an id is empty, too long or has control characters.
	ErrInvalidID Code = "invalid_id"
	// ErrInvalidUTF8: text is not UTF-8.
	ErrInvalidUTF8 Code = "invalid_utf8"
	// ErrNullArgument: a handle or pointer that must not be NULL is NULL.
	ErrNullArgument Code = "null_argument"
	// ErrInvalidArgument: an argument is out of its range.
	ErrInvalidArgument Code = "invalid_argument"
	// ErrNotFound: there is no such user, app, request or account.
	ErrNotFound Code = "not_found"
	// ErrInvalidTransition: the request's state does not allow this.
	ErrInvalidTransition Code = "invalid_transition"
	// ErrUnknownOperation: there is no such operation.
	ErrUnknownOperation Code = "unknown_operation"
	// ErrActiveRequired: `active` is left out for a user known as inactive.
	ErrActiveRequired Code = "active_required"
	// ErrInvalidTime: a time or duration cannot be read.
	ErrInvalidTime Code = "invalid_time"
	// ErrReadOnly: the engine was opened for reading only.
	ErrReadOnly Code = "read_only"
	// ErrUnknownState: there is no such request state or event.
	ErrUnknownState Code = "unknown_state"
	// ErrFourEyes: the same person may not ask and approve.
	ErrFourEyes Code = "four_eyes"
	// ErrClosed: the engine is closed.
	ErrClosed Code = "closed"
	// ErrReentrantCall: a callback called the engine it serves.
	ErrReentrantCall Code = "reentrant_call"
	// ErrTooLarge: a document or text is larger than allowed.
	ErrTooLarge Code = "too_large"
	// ErrCancelled: the run was cancelled.
	ErrCancelled Code = "cancelled"
	// ErrPlanChanged: the digest is not that of the plan as it is now.
	ErrPlanChanged Code = "plan_changed"
	// ErrItemChanged: what an item of a plan was planned for has changed since.
	ErrItemChanged Code = "item_changed"
	// ErrDuplicateRecord: a record has the id of another one.
	ErrDuplicateRecord Code = "duplicate_record"
	// ErrReconciliationOpen: another reconciliation of the app is open.
	ErrReconciliationOpen Code = "reconciliation_open"
	// ErrCannotBeUndone: what was done cannot be undone.
	ErrCannotBeUndone Code = "cannot_be_undone"
	// ErrForked: the engine, or its file, was open when this process was forked.
	ErrForked Code = "forked"
	// ErrKeyRequired: a secret is stored under the host's key alone, and none was given.
	ErrKeyRequired Code = "key_required"
	// ErrReauthorizationNeeded: a person has to authorise the app anew; its refresh token is no longer accepted.
	ErrReauthorizationNeeded Code = "reauthorization_needed"
	// ErrTokenRefused: the authorization server refused a token.
	ErrTokenRefused Code = "token_refused"
	// ErrTokenPending: another process is having a token renewed.
	ErrTokenPending Code = "token_pending"
	// ErrUnknownGroup: the target has no group of that id or name, or several of that name.
	ErrUnknownGroup Code = "unknown_group"
	// ErrMemberRefused: the target refused one account's membership of a group.
	ErrMemberRefused Code = "member_refused"
	// ErrMembersRefused: the target refused memberships of several accounts at once; they are sent in smaller parts.
	ErrMembersRefused Code = "members_refused"
	// ErrGroupMissing: the group does not exist at the target.
	ErrGroupMissing Code = "group_missing"
	// ErrProxyFailed: the proxy made no connection to the target.
	ErrProxyFailed Code = "proxy_failed"
	// ErrGroupsHidden: the target shows no groups at all, so that whether one of them is gone is not known.
	ErrGroupsHidden Code = "groups_hidden"
	// ErrSandboxRequired: a probe makes accounts at the target, and nobody said that the target is a sandbox.
	ErrSandboxRequired Code = "sandbox_required"
	// ErrLeftBehind: a probe could not take away again what it made at the target.
	ErrLeftBehind Code = "left_behind"
	// ErrCursorExpired: the target does not take a cursor of its own any more; a listing begins anew.
	ErrCursorExpired Code = "cursor_expired"
	// ErrMissingRequired: a required attribute has no value.
	ErrMissingRequired Code = "missing_required"
	// ErrExpressionInvalid: an expression does not compile.
	ErrExpressionInvalid Code = "expression_invalid"
	// ErrExpressionFailed: an expression failed on this record.
	ErrExpressionFailed Code = "expression_failed"
	// ErrUnknownVariable: an expression names a variable that does not exist.
	ErrUnknownVariable Code = "unknown_variable"
	// ErrUnknownFunction: an expression calls a function that does not exist.
	ErrUnknownFunction Code = "unknown_function"
	// ErrInvalidPath: an attribute path cannot be read.
	ErrInvalidPath Code = "invalid_path"
	// ErrUnknownAttribute: the target's schema has no such attribute.
	ErrUnknownAttribute Code = "unknown_attribute"
	// ErrReadOnlyAttribute: the target's schema does not let this attribute be written.
	ErrReadOnlyAttribute Code = "read_only_attribute"
	// ErrTypeMismatch: a value is not of the type that the target's schema has.
	ErrTypeMismatch Code = "type_mismatch"
	// ErrDuplicateTarget: two rules write the same attribute.
	ErrDuplicateTarget Code = "duplicate_target"
	// ErrUnknownConnector: no connector is registered under this name.
	ErrUnknownConnector Code = "unknown_connector"
	// ErrSecretMissing: the secret of this name could not be had.
	ErrSecretMissing Code = "secret_missing"
	// ErrSecretInClear: a secret stands in the document itself instead of its name.
	ErrSecretInClear Code = "secret_in_clear"
	// ErrNotReady: the app cannot be enabled yet.
	ErrNotReady Code = "not_ready"
	// ErrMatchingRequired: creating needs a matching rule or `create_without_match`.
	ErrMatchingRequired Code = "matching_required"
	// ErrOperationOff: the app does not allow this operation.
	ErrOperationOff Code = "operation_off"
	// ErrInvalidURL: a URL is not one that may be used.
	ErrInvalidURL Code = "invalid_url"
	// ErrAttributeNotStored: an attribute was not stored when the user was put; put the user again.
	ErrAttributeNotStored Code = "attribute_not_stored"
	// ErrAppDisabled: the app is not enabled.
	ErrAppDisabled Code = "app_disabled"
	// ErrUnusualValue: a value is not among those that the target knows.
	ErrUnusualValue Code = "unusual_value"
	// ErrUnreachable: the target could not be reached.
	ErrUnreachable Code = "unreachable"
	// ErrTimeout: the target did not answer in time.
	ErrTimeout Code = "timeout"
	// ErrRateLimited: the target asks for fewer requests.
	ErrRateLimited Code = "rate_limited"
	// ErrUnauthorized: the target does not accept the credentials.
	ErrUnauthorized Code = "unauthorized"
	// ErrForbidden: the target forbids this.
	ErrForbidden Code = "forbidden"
	// ErrRejected: the target refused the record.
	ErrRejected Code = "rejected"
	// ErrTargetFailed: the target failed.
	ErrTargetFailed Code = "target_failed"
	// ErrAccountMissing: the account no longer exists at the target.
	ErrAccountMissing Code = "account_missing"
	// ErrConflictOwned: the matching account belongs to somebody else.
	ErrConflictOwned Code = "conflict_owned"
	// ErrConflictGhost: the target says the account exists but does not show it.
	ErrConflictGhost Code = "conflict_ghost"
	// ErrConflictDuplicate: several accounts match.
	ErrConflictDuplicate Code = "conflict_duplicate"
	// ErrUncertain: whether the account was made cannot be found out.
	ErrUncertain Code = "uncertain"
	// ErrUnsupported: the target or connector does not support this.
	ErrUnsupported Code = "unsupported"
	// ErrInvalidAnswer: the target's answer cannot be read.
	ErrInvalidAnswer Code = "invalid_answer"
	// ErrAnswerTooLarge: the target's answer is larger than allowed.
	ErrAnswerTooLarge Code = "answer_too_large"
	// ErrRedirected: the target answered with a redirect.
	ErrRedirected Code = "redirected"
	// ErrBlockedAddress: the address is not one that may be called.
	ErrBlockedAddress Code = "blocked_address"
	// ErrTLSFailed: no trusted connection to the target could be made.
	ErrTLSFailed Code = "tls_failed"
	// ErrConnectorFailed: the connector raised an error.
	ErrConnectorFailed Code = "connector_failed"
	// ErrNotConfirmed: the target answered success, but the account is still as it was.
	ErrNotConfirmed Code = "not_confirmed"
	// ErrConflict: an account of this kind exists already.
	ErrConflict Code = "conflict"
	// ErrConflictCandidates: no account matches for certain, and some may be the user's.
	ErrConflictCandidates Code = "conflict_candidates"
	// ErrUniqueTaken: a unique value is taken, and its rule has no other.
	ErrUniqueTaken Code = "unique_taken"
	// ErrUniqueExhausted: every candidate for a unique value is taken.
	ErrUniqueExhausted Code = "unique_exhausted"
	// ErrStoreNewer: the file was written by a newer version.
	ErrStoreNewer Code = "store_newer"
	// ErrStoreDamaged: the file is damaged or no rollkeeper database.
	ErrStoreDamaged Code = "store_damaged"
	// ErrStoreUnwritable: the file or its folder cannot be written.
	ErrStoreUnwritable Code = "store_unwritable"
	// ErrStoreBusy: another process holds the file.
	ErrStoreBusy Code = "store_busy"
	// ErrStoreFull: the disk is full.
	ErrStoreFull Code = "store_full"
	// ErrStoreFailed: the database reported an error.
	ErrStoreFailed Code = "store_failed"
	// ErrLogBroken: the log's chain does not hold.
	ErrLogBroken Code = "log_broken"
	// ErrKeyMissing: what is stored is sealed and no key, or another one, was given.
	ErrKeyMissing Code = "key_missing"
	// ErrStoreMissing: the file does not exist.
	ErrStoreMissing Code = "store_missing"
	// ErrInternal: a fault of rollkeeper's own.
	ErrInternal Code = "internal"
	// ErrPanic: a panic was caught.
	ErrPanic Code = "panic"
)
