//! What every fallible function returns: a number that never changes its meaning. The numbers and names are those of
//! `tests/data/codes.csv`.

/// 0 where all went well, ROLLKEEPER_DONE at the end of an iterator, otherwise the number of the failure's code.
/// Numbers may be added in later versions.
pub type Status = i32;

/// All went well.
pub const ROLLKEEPER_OK: Status = 0;
/// The iterator has nothing more.
pub const ROLLKEEPER_DONE: Status = 1;
/// The text is not JSON.
pub const ROLLKEEPER_INVALID_JSON: Status = 100;
/// A document does not have the shape it must have.
pub const ROLLKEEPER_INVALID_DOCUMENT: Status = 101;
/// A document has a key that does not exist.
pub const ROLLKEEPER_UNKNOWN_KEY: Status = 102;
/// A document has no `id`.
pub const ROLLKEEPER_MISSING_ID: Status = 103;
/// An id is empty, too long or has control characters.
pub const ROLLKEEPER_INVALID_ID: Status = 104;
/// Text is not UTF-8.
pub const ROLLKEEPER_INVALID_UTF8: Status = 105;
/// A handle or pointer that must not be NULL is NULL.
pub const ROLLKEEPER_NULL_ARGUMENT: Status = 106;
/// An argument is out of its range.
pub const ROLLKEEPER_INVALID_ARGUMENT: Status = 107;
/// There is no such user, app, request or account.
pub const ROLLKEEPER_NOT_FOUND: Status = 108;
/// The request's state does not allow this.
pub const ROLLKEEPER_INVALID_TRANSITION: Status = 109;
/// There is no such operation.
pub const ROLLKEEPER_UNKNOWN_OPERATION: Status = 110;
/// `active` is left out for a user known as inactive.
pub const ROLLKEEPER_ACTIVE_REQUIRED: Status = 111;
/// A time or duration cannot be read.
pub const ROLLKEEPER_INVALID_TIME: Status = 112;
/// The engine was opened for reading only.
pub const ROLLKEEPER_READ_ONLY: Status = 113;
/// There is no such request state or event.
pub const ROLLKEEPER_UNKNOWN_STATE: Status = 114;
/// The same person may not ask and approve.
pub const ROLLKEEPER_FOUR_EYES: Status = 115;
/// The engine is closed.
pub const ROLLKEEPER_CLOSED: Status = 116;
/// A callback called the engine it serves.
pub const ROLLKEEPER_REENTRANT_CALL: Status = 117;
/// A document or text is larger than allowed.
pub const ROLLKEEPER_TOO_LARGE: Status = 118;
/// The run was cancelled.
pub const ROLLKEEPER_CANCELLED: Status = 119;
/// The digest is not that of the plan as it is now.
pub const ROLLKEEPER_PLAN_CHANGED: Status = 120;
/// What an item of a plan was planned for has changed since.
pub const ROLLKEEPER_ITEM_CHANGED: Status = 121;
/// A record has the id of another one.
pub const ROLLKEEPER_DUPLICATE_RECORD: Status = 122;
/// Another reconciliation of the app is open.
pub const ROLLKEEPER_RECONCILIATION_OPEN: Status = 123;
/// What was done cannot be undone.
pub const ROLLKEEPER_CANNOT_BE_UNDONE: Status = 124;
/// The engine, or its file, was open when this process was forked.
pub const ROLLKEEPER_FORKED: Status = 125;
/// A secret is stored under the host's key alone, and none was given.
pub const ROLLKEEPER_KEY_REQUIRED: Status = 126;
/// A person has to authorise the app anew: its refresh token is no longer accepted.
pub const ROLLKEEPER_REAUTHORIZATION_NEEDED: Status = 127;
/// The authorization server refused a token.
pub const ROLLKEEPER_TOKEN_REFUSED: Status = 128;
/// Another process is having a token renewed.
pub const ROLLKEEPER_TOKEN_PENDING: Status = 129;
/// The target has no group of that id or name, or several of that name.
pub const ROLLKEEPER_UNKNOWN_GROUP: Status = 132;
/// The target refused one account's membership of a group.
pub const ROLLKEEPER_MEMBER_REFUSED: Status = 133;
/// The target refused memberships of several accounts at once; they are sent in smaller parts.
pub const ROLLKEEPER_MEMBERS_REFUSED: Status = 134;
/// The group does not exist at the target.
pub const ROLLKEEPER_GROUP_MISSING: Status = 135;
/// The proxy made no connection to the target.
pub const ROLLKEEPER_PROXY_FAILED: Status = 136;
/// The target shows no groups at all, so that whether one of them is gone is not known.
pub const ROLLKEEPER_GROUPS_HIDDEN: Status = 140;
/// A probe makes accounts at the target, and nobody said that the target is a sandbox.
pub const ROLLKEEPER_SANDBOX_REQUIRED: Status = 141;
/// A probe could not take away again what it made at the target.
pub const ROLLKEEPER_LEFT_BEHIND: Status = 142;
/// The target does not take a cursor of its own any more; a listing begins anew.
pub const ROLLKEEPER_CURSOR_EXPIRED: Status = 143;
/// A required attribute has no value.
pub const ROLLKEEPER_MISSING_REQUIRED: Status = 200;
/// An expression does not compile.
pub const ROLLKEEPER_EXPRESSION_INVALID: Status = 201;
/// An expression failed on this record.
pub const ROLLKEEPER_EXPRESSION_FAILED: Status = 202;
/// An expression names a variable that does not exist.
pub const ROLLKEEPER_UNKNOWN_VARIABLE: Status = 203;
/// An expression calls a function that does not exist.
pub const ROLLKEEPER_UNKNOWN_FUNCTION: Status = 204;
/// An attribute path cannot be read.
pub const ROLLKEEPER_INVALID_PATH: Status = 205;
/// The target's schema has no such attribute.
pub const ROLLKEEPER_UNKNOWN_ATTRIBUTE: Status = 206;
/// The target's schema does not let this attribute be written.
pub const ROLLKEEPER_READ_ONLY_ATTRIBUTE: Status = 207;
/// A value is not of the type that the target's schema has.
pub const ROLLKEEPER_TYPE_MISMATCH: Status = 208;
/// Two rules write the same attribute.
pub const ROLLKEEPER_DUPLICATE_TARGET: Status = 209;
/// No connector is registered under this name.
pub const ROLLKEEPER_UNKNOWN_CONNECTOR: Status = 210;
/// The secret of this name could not be had.
pub const ROLLKEEPER_SECRET_MISSING: Status = 211;
/// A secret stands in the document itself instead of its name.
pub const ROLLKEEPER_SECRET_IN_CLEAR: Status = 212;
/// The app cannot be enabled yet.
pub const ROLLKEEPER_NOT_READY: Status = 213;
/// Creating needs a matching rule or `create_without_match`.
pub const ROLLKEEPER_MATCHING_REQUIRED: Status = 214;
/// The app does not allow this operation.
pub const ROLLKEEPER_OPERATION_OFF: Status = 215;
/// A URL is not one that may be used.
pub const ROLLKEEPER_INVALID_URL: Status = 216;
/// An attribute was not stored when the user was put; put the user again.
pub const ROLLKEEPER_ATTRIBUTE_NOT_STORED: Status = 217;
/// The app is not enabled.
pub const ROLLKEEPER_APP_DISABLED: Status = 218;
/// A value is not among those that the target knows.
pub const ROLLKEEPER_UNUSUAL_VALUE: Status = 219;
/// The target could not be reached.
pub const ROLLKEEPER_UNREACHABLE: Status = 300;
/// The target did not answer in time.
pub const ROLLKEEPER_TIMEOUT: Status = 301;
/// The target asks for fewer requests.
pub const ROLLKEEPER_RATE_LIMITED: Status = 302;
/// The target does not accept the credentials.
pub const ROLLKEEPER_UNAUTHORIZED: Status = 303;
/// The target forbids this.
pub const ROLLKEEPER_FORBIDDEN: Status = 304;
/// The target refused the record.
pub const ROLLKEEPER_REJECTED: Status = 305;
/// The target failed.
pub const ROLLKEEPER_TARGET_FAILED: Status = 306;
/// The account no longer exists at the target.
pub const ROLLKEEPER_ACCOUNT_MISSING: Status = 307;
/// The matching account belongs to somebody else.
pub const ROLLKEEPER_CONFLICT_OWNED: Status = 308;
/// The target says the account exists but does not show it.
pub const ROLLKEEPER_CONFLICT_GHOST: Status = 309;
/// Several accounts match.
pub const ROLLKEEPER_CONFLICT_DUPLICATE: Status = 310;
/// Whether the account was made cannot be found out.
pub const ROLLKEEPER_UNCERTAIN: Status = 311;
/// The target or connector does not support this.
pub const ROLLKEEPER_UNSUPPORTED: Status = 312;
/// The target's answer cannot be read.
pub const ROLLKEEPER_INVALID_ANSWER: Status = 313;
/// The target's answer is larger than allowed.
pub const ROLLKEEPER_ANSWER_TOO_LARGE: Status = 314;
/// The target answered with a redirect.
pub const ROLLKEEPER_REDIRECTED: Status = 315;
/// The address is not one that may be called.
pub const ROLLKEEPER_BLOCKED_ADDRESS: Status = 316;
/// No trusted connection to the target could be made.
pub const ROLLKEEPER_TLS_FAILED: Status = 317;
/// The connector raised an error.
pub const ROLLKEEPER_CONNECTOR_FAILED: Status = 318;
/// The target answered success, but the account is still as it was.
pub const ROLLKEEPER_NOT_CONFIRMED: Status = 319;
/// An account of this kind exists already.
pub const ROLLKEEPER_CONFLICT: Status = 320;
/// No account matches for certain, and some may be the user's.
pub const ROLLKEEPER_CONFLICT_CANDIDATES: Status = 321;
/// A unique value is taken, and its rule has no other.
pub const ROLLKEEPER_UNIQUE_TAKEN: Status = 322;
/// Every candidate for a unique value is taken.
pub const ROLLKEEPER_UNIQUE_EXHAUSTED: Status = 323;
/// The file was written by a newer version.
pub const ROLLKEEPER_STORE_NEWER: Status = 400;
/// The file is damaged or no rollkeeper database.
pub const ROLLKEEPER_STORE_DAMAGED: Status = 401;
/// The file or its folder cannot be written.
pub const ROLLKEEPER_STORE_UNWRITABLE: Status = 402;
/// Another process holds the file.
pub const ROLLKEEPER_STORE_BUSY: Status = 403;
/// The disk is full.
pub const ROLLKEEPER_STORE_FULL: Status = 404;
/// The database reported an error.
pub const ROLLKEEPER_STORE_FAILED: Status = 405;
/// The log's chain does not hold.
pub const ROLLKEEPER_LOG_BROKEN: Status = 406;
/// What is stored is sealed and no key, or another one, was given.
pub const ROLLKEEPER_KEY_MISSING: Status = 407;
/// The file does not exist.
pub const ROLLKEEPER_STORE_MISSING: Status = 408;
/// A fault of rollkeeper's own.
pub const ROLLKEEPER_INTERNAL: Status = 500;
/// A panic was caught.
pub const ROLLKEEPER_PANIC: Status = 501;

#[cfg(test)]
mod tests {
    use engine::Code;

    #[test]
    fn every_code_has_its_constant_and_the_other_way_round() {
        let declared: Vec<(String, u16)> = include_str!("status.rs")
            .lines()
            .filter_map(|line| line.strip_prefix("pub const ROLLKEEPER_")?.strip_suffix(';')?.split_once(": Status = "))
            .map(|(name, number)| (name.to_lowercase(), number.parse().unwrap()))
            .filter(|(_, number)| *number >= 100)
            .collect();
        let codes: Vec<(String, u16)> = Code::all().map(|code| (code.name().to_owned(), code.number())).collect();
        assert_eq!(declared, codes);
    }
}
