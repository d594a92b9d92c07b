/*
 * rollkeeper: an embeddable user-provisioning engine.
 *
 * Calls. Every function that can fail is rollkeeper_<object>_<verb>(self, inputs..., outputs...,
 * rollkeeper_error **error) and returns 0 (ROLLKEEPER_OK) or the number of a failure. Outputs are
 * written only on success. `error` may be NULL; otherwise it is written only on failure, with an
 * object to be freed with rollkeeper_error_free. A const first argument is not changed by the call.
 *
 * Valid. A handle is valid from the call that gave it to the call of its `_free`. Every `_free` takes
 * NULL. NULL where a valid handle or text is asked for gives ROLLKEEPER_NULL_ARGUMENT.
 *
 * Text. Names in are UTF-8 that ends with NUL. Documents in are UTF-8 JSON by pointer and length; they
 * are not kept. Text out is freed with rollkeeper_string_free, unless it belongs to an object. Text that
 * is not UTF-8 gives ROLLKEEPER_INVALID_UTF8. Documents and records come out as JSON with sorted keys
 * and no white space.
 *
 * Lists. They are iterators: call rollkeeper_iterator_next until it returns ROLLKEEPER_DONE, then
 * rollkeeper_iterator_free.
 *
 * Structs to fill in. Set them to zero, then `struct_size` to their size; they grow at the end. Their
 * contexts are freed with `free_context`, once, by whichever thread lets go of them last.
 *
 * Threads. Handles may be used from any thread and from several at once, an iterator from one at a time.
 * Callbacks may come from any thread, several at once. A callback must not call the engine it serves but
 * for rollkeeper_engine_cancel_run (ROLLKEEPER_REENTRANT_CALL), must not unwind (no C++ exceptions, no
 * longjmp), and answers through a reply object, into which everything is copied.
 *
 * Panics. A fault of our own gives ROLLKEEPER_PANIC; the engine it happened in can only be freed.
 *
 * Versions. A program may check rollkeeper_abi_version() == ROLLKEEPER_ABI_VERSION at its start. Numbers
 * keep their meaning for ever; new ones may be added, so treat unknown numbers as failures.
 */

#ifndef ROLLKEEPER_H
#define ROLLKEEPER_H

/* Made by cbindgen from ffi/src; do not edit. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * The version as text.
 */
#define ROLLKEEPER_VERSION "0.1.0"

#ifndef ROLLKEEPER_MUST_USE
#  if defined(__GNUC__)
#    define ROLLKEEPER_MUST_USE __attribute__((warn_unused_result))
#  else
#    define ROLLKEEPER_MUST_USE
#  endif
#endif
#ifndef ROLLKEEPER_API
#  if defined(_WIN32) && defined(ROLLKEEPER_SHARED)
#    define ROLLKEEPER_API __declspec(dllimport)
#  else
#    define ROLLKEEPER_API
#  endif
#endif

/**
 * Nothing reached the target, or it promised to have done nothing. Only this may be repeated blindly.
 */
#define ROLLKEEPER_OUTCOME_NOT_APPLIED 1

/**
 * The target refused; trying the same again will not help.
 */
#define ROLLKEEPER_OUTCOME_REJECTED 2

/**
 * Nobody knows whether the target did it.
 */
#define ROLLKEEPER_OUTCOME_AMBIGUOUS 3

/**
 * Such an account exists already.
 */
#define ROLLKEEPER_OUTCOME_CONFLICT 4

/**
 * The version as one number: major × 1,000,000 + minor × 1,000 + patch.
 */
#define ROLLKEEPER_VERSION_NUMBER 1000

/**
 * The version of the binary interface. It rises on any break; from version 1.0 on the interface only grows.
 */
#define ROLLKEEPER_ABI_VERSION 1

/**
 * What was found. One thread goes through it; the counts may be asked for from any.
 */
typedef struct rollkeeper_analysis rollkeeper_analysis;

/**
 * An engine. It may be used from any thread.
 */
typedef struct rollkeeper_engine rollkeeper_engine;

/**
 * Why a call failed. It may be read from several threads at once.
 */
typedef struct rollkeeper_error rollkeeper_error;

/**
 * The impact of a definition. One thread goes through it; the summary and the end may be asked for from any.
 */
typedef struct rollkeeper_impact rollkeeper_impact;

/**
 * A list of records. It is used from one thread at a time.
 */
typedef struct rollkeeper_iterator rollkeeper_iterator;

/**
 * A compiled mapping. It may be used from any thread and from several at once.
 */
typedef struct rollkeeper_mapping rollkeeper_mapping;

/**
 * A target in memory. It may be used from any thread.
 */
typedef struct rollkeeper_mock_target rollkeeper_mock_target;

/**
 * Where a callback puts its answer. It is valid until the callback returns; the last answer counts.
 */
typedef struct rollkeeper_reply rollkeeper_reply;

/**
 * A clock that moves only when told to. It may be used from any thread.
 */
typedef struct rollkeeper_virtual_clock rollkeeper_virtual_clock;

/**
 * 0 where all went well, ROLLKEEPER_DONE at the end of an iterator, otherwise the number of the failure's code.
 * Numbers may be added in later versions.
 */
typedef int32_t rollkeeper_status;

/**
 * Records for rollkeeper_analyze: as text or in a file, one of the two. Set it to zero, then fill in `struct_size`.
 */
typedef struct rollkeeper_input {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * JSON text: objects one a line, a list of objects, or SCIM answers with `Resources`; or NULL. It is copied.
     */
    const char *text;
    /**
     * The number of bytes of `text`.
     */
    size_t text_length;
    /**
     * The path of a file with such text, which ends with NUL; or NULL. It must stay as it is until the analysis is freed.
     */
    const char *path;
} rollkeeper_input;

/**
 * One method of a connector. `request` is a JSON object with the method's arguments and lives until the call returns.
 * The answer goes into `reply`, by rollkeeper_reply_set_json or rollkeeper_reply_fail. Calls may come from several
 * threads at once.
 */
typedef void (*rollkeeper_connector_method)(void *context,
                                            const char *request,
                                            size_t request_length,
                                            struct rollkeeper_reply *reply);

/**
 * A connector. Set everything to zero and `struct_size` to `sizeof(rollkeeper_connector)`; what is NULL is not
 * supported. An account is `{"external_id", "username", "active", "frozen", "attributes", "version"}`, a change
 * `{"op": "add" | "replace" | "remove", "path", "value"}`. A method that answers nothing where an answer is needed, or
 * one that cannot be read, has failed: ambiguously where it writes, without effect where it reads.
 */
typedef struct rollkeeper_connector {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * `{}` → `{"search", "idempotency_key", "conditional_write", "unique_keys", "freeze", "groups", "changes"}`.
     */
    rollkeeper_connector_method capabilities;
    /**
     * `{}` → nothing: the target can be reached and accepts the credentials.
     */
    rollkeeper_connector_method test;
    /**
     * `{}` → list of `{"path", "type", "multi_valued", "required", "case_exact", "read_only", "canonical_values"}`.
     */
    rollkeeper_connector_method schema;
    /**
     * `{"attribute", "value"}` → list of accounts.
     */
    rollkeeper_connector_method find;
    /**
     * `{"external_id"}` → account, or null where it does not exist.
     */
    rollkeeper_connector_method read;
    /**
     * `{"attributes", "idempotency_key"}` → account.
     */
    rollkeeper_connector_method create;
    /**
     * `{"external_id", "changes", "version"}` (version may be null) → account as it is afterwards, or null.
     */
    rollkeeper_connector_method update;
    /**
     * `{"external_id"}` → nothing.
     */
    rollkeeper_connector_method activate;
    /**
     * `{"external_id"}` → nothing.
     */
    rollkeeper_connector_method deactivate;
    /**
     * `{"external_id"}` → nothing.
     */
    rollkeeper_connector_method freeze;
    /**
     * `{"external_id"}` → nothing.
     */
    rollkeeper_connector_method unfreeze;
    /**
     * `{"external_id"}` → nothing. An account that does not exist counts as removed.
     */
    rollkeeper_connector_method delete_account;
    /**
     * `{"cursor", "filter"}` (each may be null) → `{"accounts", "next", "complete", "total"}`; `total` may be left out.
     */
    rollkeeper_connector_method list;
    /**
     * `{"token"}` (may be null) → `{"accounts", "token"}`.
     */
    rollkeeper_connector_method changes;
    /**
     * `{"cursor"}` (may be null) → `{"groups", "next"}`.
     */
    rollkeeper_connector_method list_groups;
    /**
     * `{"group", "add", "remove"}` → nothing.
     */
    rollkeeper_connector_method change_members;
} rollkeeper_connector;

/**
 * Where secrets that app definitions name are had from. Set `struct_size` to `sizeof(rollkeeper_secrets)`.
 */
typedef struct rollkeeper_secrets {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * Answers the secret of a name with rollkeeper_reply_set_text; without an answer there is no such secret. Must not
     * be NULL.
     */
    void (*secret)(void *context, const char *name, struct rollkeeper_reply *reply);
} rollkeeper_secrets;

/**
 * Who is told every log entry once it is durable. Set `struct_size` to `sizeof(rollkeeper_log)`.
 */
typedef struct rollkeeper_log {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * Takes one entry as JSON text, which lives until the call returns. Must not be NULL.
     */
    void (*entry)(void *context, const char *entry, size_t entry_length);
} rollkeeper_log;

/**
 * Where the engine takes the time from. Set `struct_size` to `sizeof(rollkeeper_clock)`.
 */
typedef struct rollkeeper_clock {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * The time in microseconds since 1970-01-01T00:00:00Z. Must not be NULL.
     */
    int64_t (*now)(void *context);
} rollkeeper_clock;

/**
 * Who is told what needs a person, once it is durable. Set `struct_size` to `sizeof(rollkeeper_alerts)`.
 */
typedef struct rollkeeper_alerts {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * Takes one alert as JSON text with `kind`, `sequence`, `at`, `advice`, and `app`, `user`, `request` and `code` where
     * it has them. The text lives until the call returns. Must not be NULL.
     */
    void (*alert)(void *context, const char *alert, size_t alert_length);
} rollkeeper_alerts;

/**
 * An HTTP client for every SCIM target and authorization server, in place of the library's own. Set `struct_size` to
 * `sizeof(rollkeeper_transport)`. `connector.tls` and `connector.proxy` of apps are refused beside it, and which addresses
 * may be called is its own to say; the size and the depth of answers stay bounded.
 */
typedef struct rollkeeper_transport {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to every call.
     */
    void *context;
    /**
     * Called once when the context is no longer needed; may be NULL.
     */
    void (*free_context)(void *context);
    /**
     * Sends one request and answers with rollkeeper_reply_set_response, whatever the status. It follows no redirect and
     * repeats nothing. `request` is `{"method", "url", "headers": {name: value}, "timeout", "largest_answer"}`, with the
     * credentials among the headers, the timeout in seconds for everything from the connection to the last byte, and how
     * many bytes of the answer's body are to be read at the most; it and `body`, which is NULL where there is none, live
     * until the call returns.
     *
     * Where there is no answer, it says so with rollkeeper_reply_fail: ROLLKEEPER_OUTCOME_NOT_APPLIED
     * where the target read nothing of the request, ROLLKEEPER_OUTCOME_AMBIGUOUS where it may have; the code is
     * `unreachable`, `timeout`, `tls_failed`, `proxy_failed`, `blocked_address`, `redirected`, `answer_too_large` or
     * `invalid_answer`. Calls may come from several threads at once. Must not be NULL.
     */
    void (*send)(void *context,
                 const char *request,
                 size_t request_length,
                 const uint8_t *body,
                 size_t body_length,
                 struct rollkeeper_reply *reply);
} rollkeeper_transport;

/**
 * How an engine is opened. Set everything to zero and `struct_size` to `sizeof(rollkeeper_open_options)`; what is zero
 * has its default.
 */
typedef struct rollkeeper_open_options {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * The database file, made where it does not exist; NULL for a database in memory.
     */
    const char *path;
    /**
     * 32 bytes that seal the keys per user; the same at every opening. NULL for none.
     */
    const uint8_t *key;
    /**
     * Makes ids, keys and jitter reproducible, for tests only. Counts where `has_seed` is not 0.
     */
    uint64_t seed;
    /**
     * Not 0: `seed` counts.
     */
    int32_t has_seed;
    /**
     * Not 0: every function that would change something fails with ROLLKEEPER_READ_ONLY.
     */
    int32_t read_only;
    /**
     * Not 0: a create is sent again without a look-up. Only for showing that duplicates appear.
     */
    int32_t without_look_up;
    /**
     * Where secrets are had from, or NULL.
     */
    const struct rollkeeper_secrets *secrets;
    /**
     * Who is told every log entry, or NULL.
     */
    const struct rollkeeper_log *log;
    /**
     * Where the time is had from, or NULL for the system's clock.
     */
    const struct rollkeeper_clock *clock;
    /**
     * A virtual clock instead of `clock`, or NULL. It may be freed before the engine.
     */
    const struct rollkeeper_virtual_clock *virtual_clock;
    /**
     * Who is told what needs a person, or NULL.
     */
    const struct rollkeeper_alerts *alerts;
    /**
     * The HTTP client for targets, or NULL for the library's own.
     */
    const struct rollkeeper_transport *transport;
} rollkeeper_open_options;

/**
 * Who is told how a reconciliation goes. Set everything to zero and `struct_size` to `sizeof(rollkeeper_watch)`.
 */
typedef struct rollkeeper_watch {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * Given to `told`.
     */
    void *context;
    /**
     * Is given the reconciliation as it is after each page and step, as JSON text that lives until it returns; 0 goes on,
     * anything else stops it as rollkeeper_engine_cancel_run does. It comes from the thread that called.
     */
    int32_t (*told)(void *context, const char *reconciliation, size_t reconciliation_length);
} rollkeeper_watch;

/**
 * How a run works. Set everything to zero and `struct_size` to `sizeof(rollkeeper_run_options)`; what is zero has its
 * default.
 */
typedef struct rollkeeper_run_options {
    /**
     * The size of this struct.
     */
    size_t struct_size;
    /**
     * How many calls to targets at the same time, 1 to 256; 0 counts as 1.
     */
    uint32_t workers;
    /**
     * How long to wait for work that becomes due later, as an ISO 8601 duration such as `PT30S`; NULL to end when
     * nothing is due now.
     */
    const char *timeout;
    /**
     * Given to `progress`.
     */
    void *context;
    /**
     * Is told how the run goes, as JSON text that lives until it returns (`due` and `next_due` are counted once a second,
     * `due` to 10,000 at the most, and `open` only at the end); 0 goes on, anything else cancels the run. It
     * may come from any thread, but not from two at once. NULL where nobody asks.
     */
    int32_t (*progress)(void *context, const char *progress, size_t progress_length);
} rollkeeper_run_options;

/**
 * All went well.
 */
#define ROLLKEEPER_OK 0

/**
 * The iterator has nothing more.
 */
#define ROLLKEEPER_DONE 1

/**
 * The text is not JSON.
 */
#define ROLLKEEPER_INVALID_JSON 100

/**
 * A document does not have the shape it must have.
 */
#define ROLLKEEPER_INVALID_DOCUMENT 101

/**
 * A document has a key that does not exist.
 */
#define ROLLKEEPER_UNKNOWN_KEY 102

/**
 * A document has no `id`.
 */
#define ROLLKEEPER_MISSING_ID 103

/**
 * An id is empty, too long or has control characters.
 */
#define ROLLKEEPER_INVALID_ID 104

/**
 * Text is not UTF-8.
 */
#define ROLLKEEPER_INVALID_UTF8 105

/**
 * A handle or pointer that must not be NULL is NULL.
 */
#define ROLLKEEPER_NULL_ARGUMENT 106

/**
 * An argument is out of its range.
 */
#define ROLLKEEPER_INVALID_ARGUMENT 107

/**
 * There is no such user, app, request or account.
 */
#define ROLLKEEPER_NOT_FOUND 108

/**
 * The request's state does not allow this.
 */
#define ROLLKEEPER_INVALID_TRANSITION 109

/**
 * There is no such operation.
 */
#define ROLLKEEPER_UNKNOWN_OPERATION 110

/**
 * `active` is left out for a user known as inactive.
 */
#define ROLLKEEPER_ACTIVE_REQUIRED 111

/**
 * A time or duration cannot be read.
 */
#define ROLLKEEPER_INVALID_TIME 112

/**
 * The engine was opened for reading only.
 */
#define ROLLKEEPER_READ_ONLY 113

/**
 * There is no such request state or event.
 */
#define ROLLKEEPER_UNKNOWN_STATE 114

/**
 * The same person may not ask and approve.
 */
#define ROLLKEEPER_FOUR_EYES 115

/**
 * The engine is closed.
 */
#define ROLLKEEPER_CLOSED 116

/**
 * A callback called the engine it serves.
 */
#define ROLLKEEPER_REENTRANT_CALL 117

/**
 * A document or text is larger than allowed.
 */
#define ROLLKEEPER_TOO_LARGE 118

/**
 * The run was cancelled.
 */
#define ROLLKEEPER_CANCELLED 119

/**
 * The digest is not that of the plan as it is now.
 */
#define ROLLKEEPER_PLAN_CHANGED 120

/**
 * What an item of a plan was planned for has changed since.
 */
#define ROLLKEEPER_ITEM_CHANGED 121

/**
 * A record has the id of another one.
 */
#define ROLLKEEPER_DUPLICATE_RECORD 122

/**
 * Another reconciliation of the app is open.
 */
#define ROLLKEEPER_RECONCILIATION_OPEN 123

/**
 * What was done cannot be undone.
 */
#define ROLLKEEPER_CANNOT_BE_UNDONE 124

/**
 * The engine, or its file, was open when this process was forked.
 */
#define ROLLKEEPER_FORKED 125

/**
 * A secret is stored under the host's key alone, and none was given.
 */
#define ROLLKEEPER_KEY_REQUIRED 126

/**
 * A person has to authorise the app anew: its refresh token is no longer accepted.
 */
#define ROLLKEEPER_REAUTHORIZATION_NEEDED 127

/**
 * The authorization server refused a token.
 */
#define ROLLKEEPER_TOKEN_REFUSED 128

/**
 * Another process is having a token renewed.
 */
#define ROLLKEEPER_TOKEN_PENDING 129

/**
 * The target has no group of that id or name, or several of that name.
 */
#define ROLLKEEPER_UNKNOWN_GROUP 132

/**
 * The target refused one account's membership of a group.
 */
#define ROLLKEEPER_MEMBER_REFUSED 133

/**
 * The target refused memberships of several accounts at once; they are sent in smaller parts.
 */
#define ROLLKEEPER_MEMBERS_REFUSED 134

/**
 * The group does not exist at the target.
 */
#define ROLLKEEPER_GROUP_MISSING 135

/**
 * The proxy made no connection to the target.
 */
#define ROLLKEEPER_PROXY_FAILED 136

/**
 * The target shows no groups at all, so that whether one of them is gone is not known.
 */
#define ROLLKEEPER_GROUPS_HIDDEN 140

/**
 * A probe makes accounts at the target, and nobody said that the target is a sandbox.
 */
#define ROLLKEEPER_SANDBOX_REQUIRED 141

/**
 * A probe could not take away again what it made at the target.
 */
#define ROLLKEEPER_LEFT_BEHIND 142

/**
 * The target does not take a cursor of its own any more; a listing begins anew.
 */
#define ROLLKEEPER_CURSOR_EXPIRED 143

/**
 * A required attribute has no value.
 */
#define ROLLKEEPER_MISSING_REQUIRED 200

/**
 * An expression does not compile.
 */
#define ROLLKEEPER_EXPRESSION_INVALID 201

/**
 * An expression failed on this record.
 */
#define ROLLKEEPER_EXPRESSION_FAILED 202

/**
 * An expression names a variable that does not exist.
 */
#define ROLLKEEPER_UNKNOWN_VARIABLE 203

/**
 * An expression calls a function that does not exist.
 */
#define ROLLKEEPER_UNKNOWN_FUNCTION 204

/**
 * An attribute path cannot be read.
 */
#define ROLLKEEPER_INVALID_PATH 205

/**
 * The target's schema has no such attribute.
 */
#define ROLLKEEPER_UNKNOWN_ATTRIBUTE 206

/**
 * The target's schema does not let this attribute be written.
 */
#define ROLLKEEPER_READ_ONLY_ATTRIBUTE 207

/**
 * A value is not of the type that the target's schema has.
 */
#define ROLLKEEPER_TYPE_MISMATCH 208

/**
 * Two rules write the same attribute.
 */
#define ROLLKEEPER_DUPLICATE_TARGET 209

/**
 * No connector is registered under this name.
 */
#define ROLLKEEPER_UNKNOWN_CONNECTOR 210

/**
 * The secret of this name could not be had.
 */
#define ROLLKEEPER_SECRET_MISSING 211

/**
 * A secret stands in the document itself instead of its name.
 */
#define ROLLKEEPER_SECRET_IN_CLEAR 212

/**
 * The app cannot be enabled yet.
 */
#define ROLLKEEPER_NOT_READY 213

/**
 * Creating needs a matching rule or `create_without_match`.
 */
#define ROLLKEEPER_MATCHING_REQUIRED 214

/**
 * The app does not allow this operation.
 */
#define ROLLKEEPER_OPERATION_OFF 215

/**
 * A URL is not one that may be used.
 */
#define ROLLKEEPER_INVALID_URL 216

/**
 * An attribute was not stored when the user was put; put the user again.
 */
#define ROLLKEEPER_ATTRIBUTE_NOT_STORED 217

/**
 * The app is not enabled.
 */
#define ROLLKEEPER_APP_DISABLED 218

/**
 * A value is not among those that the target knows.
 */
#define ROLLKEEPER_UNUSUAL_VALUE 219

/**
 * The target could not be reached.
 */
#define ROLLKEEPER_UNREACHABLE 300

/**
 * The target did not answer in time.
 */
#define ROLLKEEPER_TIMEOUT 301

/**
 * The target asks for fewer requests.
 */
#define ROLLKEEPER_RATE_LIMITED 302

/**
 * The target does not accept the credentials.
 */
#define ROLLKEEPER_UNAUTHORIZED 303

/**
 * The target forbids this.
 */
#define ROLLKEEPER_FORBIDDEN 304

/**
 * The target refused the record.
 */
#define ROLLKEEPER_REJECTED 305

/**
 * The target failed.
 */
#define ROLLKEEPER_TARGET_FAILED 306

/**
 * The account no longer exists at the target.
 */
#define ROLLKEEPER_ACCOUNT_MISSING 307

/**
 * The matching account belongs to somebody else.
 */
#define ROLLKEEPER_CONFLICT_OWNED 308

/**
 * The target says the account exists but does not show it.
 */
#define ROLLKEEPER_CONFLICT_GHOST 309

/**
 * Several accounts match.
 */
#define ROLLKEEPER_CONFLICT_DUPLICATE 310

/**
 * Whether the account was made cannot be found out.
 */
#define ROLLKEEPER_UNCERTAIN 311

/**
 * The target or connector does not support this.
 */
#define ROLLKEEPER_UNSUPPORTED 312

/**
 * The target's answer cannot be read.
 */
#define ROLLKEEPER_INVALID_ANSWER 313

/**
 * The target's answer is larger than allowed.
 */
#define ROLLKEEPER_ANSWER_TOO_LARGE 314

/**
 * The target answered with a redirect.
 */
#define ROLLKEEPER_REDIRECTED 315

/**
 * The address is not one that may be called.
 */
#define ROLLKEEPER_BLOCKED_ADDRESS 316

/**
 * No trusted connection to the target could be made.
 */
#define ROLLKEEPER_TLS_FAILED 317

/**
 * The connector raised an error.
 */
#define ROLLKEEPER_CONNECTOR_FAILED 318

/**
 * The target answered success, but the account is still as it was.
 */
#define ROLLKEEPER_NOT_CONFIRMED 319

/**
 * An account of this kind exists already.
 */
#define ROLLKEEPER_CONFLICT 320

/**
 * No account matches for certain, and some may be the user's.
 */
#define ROLLKEEPER_CONFLICT_CANDIDATES 321

/**
 * A unique value is taken, and its rule has no other.
 */
#define ROLLKEEPER_UNIQUE_TAKEN 322

/**
 * Every candidate for a unique value is taken.
 */
#define ROLLKEEPER_UNIQUE_EXHAUSTED 323

/**
 * The file was written by a newer version.
 */
#define ROLLKEEPER_STORE_NEWER 400

/**
 * The file is damaged or no rollkeeper database.
 */
#define ROLLKEEPER_STORE_DAMAGED 401

/**
 * The file or its folder cannot be written.
 */
#define ROLLKEEPER_STORE_UNWRITABLE 402

/**
 * Another process holds the file.
 */
#define ROLLKEEPER_STORE_BUSY 403

/**
 * The disk is full.
 */
#define ROLLKEEPER_STORE_FULL 404

/**
 * The database reported an error.
 */
#define ROLLKEEPER_STORE_FAILED 405

/**
 * The log's chain does not hold.
 */
#define ROLLKEEPER_LOG_BROKEN 406

/**
 * What is stored is sealed and no key, or another one, was given.
 */
#define ROLLKEEPER_KEY_MISSING 407

/**
 * The file does not exist.
 */
#define ROLLKEEPER_STORE_MISSING 408

/**
 * A fault of rollkeeper's own.
 */
#define ROLLKEEPER_INTERNAL 500

/**
 * A panic was caught.
 */
#define ROLLKEEPER_PANIC 501

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Frees text that a function of this library gave. NULL is fine.
 *
 * # Safety
 * `text` is NULL or came from a `char **` output of this library and was not freed before.
 */
ROLLKEEPER_API void rollkeeper_string_free(char *text);

/**
 * The failure's number, one of the ROLLKEEPER_* constants; 0 for NULL.
 *
 * # Safety
 * `error` is NULL or valid.
 */
ROLLKEEPER_API rollkeeper_status rollkeeper_error_number(const struct rollkeeper_error *error);

/**
 * The failure's stable name, such as `not_found`; NULL for NULL. The text lives as long as the error.
 *
 * # Safety
 * `error` is NULL or valid.
 */
ROLLKEEPER_API
const char *rollkeeper_error_code(const struct rollkeeper_error *error);

/**
 * Whether trying again can help: `now`, `later` or `never`; NULL for NULL. The text lives as long as the error.
 *
 * # Safety
 * `error` is NULL or valid.
 */
ROLLKEEPER_API
const char *rollkeeper_error_retry(const struct rollkeeper_error *error);

/**
 * What happened, in one line, without attribute values and secrets; NULL for NULL. The text lives as long as the error.
 *
 * # Safety
 * `error` is NULL or valid.
 */
ROLLKEEPER_API
const char *rollkeeper_error_message(const struct rollkeeper_error *error);

/**
 * The whole error as a JSON object with `code`, `number`, `kind`, `retry`, `operation`, `message`, `details`; NULL for
 * NULL. The text lives as long as the error.
 *
 * # Safety
 * `error` is NULL or valid.
 */
ROLLKEEPER_API
const char *rollkeeper_error_json(const struct rollkeeper_error *error);

/**
 * Frees an error. NULL is fine.
 *
 * # Safety
 * `error` is NULL or valid; it is not valid afterwards.
 */
ROLLKEEPER_API void rollkeeper_error_free(struct rollkeeper_error *error);

/**
 * Frees an engine: ends an active run after the calls under way, waits for every function that is inside, then
 * closes the database. NULL is fine. Iterators that are left fail with ROLLKEEPER_CLOSED and are freed on their own.
 * Called from one of the engine's own callbacks it would wait for itself, so there it does nothing; nor does it in a child
 * process that was forked after the engine was opened.
 *
 * # Safety
 * `engine` is NULL or valid; no other function is called with it from now on.
 */
ROLLKEEPER_API
void rollkeeper_engine_free(struct rollkeeper_engine *engine);

/**
 * Compares a definition with the one that is stored, or with nothing where there is none, over all users: whom would
 * storing it touch? `options` is NULL or a JSON object with `values` (true to be told the attributes' values, old and
 * new; those of sensitive rules never are). Nothing is stored, nothing is sent, and no connector is asked. Users are read
 * in pages while the impact is gone through; what others store meanwhile is seen where it is still to come.
 *
 * Fails as rollkeeper_engine_put_app where the definition is at fault.
 *
 * # Safety
 * `engine` is valid; `app` leads to `app_length` bytes; `options` is NULL or leads to `options_length` bytes; `impact`
 * may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_impact(const struct rollkeeper_engine *engine,
                                           const char *app,
                                           size_t app_length,
                                           const char *options,
                                           size_t options_length,
                                           struct rollkeeper_impact **impact,
                                           struct rollkeeper_error **error);

/**
 * Gives the next user for whom something would change, as JSON, to be freed with rollkeeper_string_free. Returns
 * ROLLKEEPER_DONE after the last, and when it was cancelled. May take long where few users are touched.
 *
 * # Safety
 * `impact` is valid and gone through by one thread at a time; `user` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_impact_next(const struct rollkeeper_impact *impact,
                                         char **user,
                                         struct rollkeeper_error **error);

/**
 * Gives the totals so far as JSON, of all users once `finished` is true; `users` of `total` tells how far it is. From any
 * thread, also while another waits for the next user.
 *
 * # Safety
 * `impact` is valid; `summary` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_impact_summary(const struct rollkeeper_impact *impact,
                                            char **summary,
                                            struct rollkeeper_error **error);

/**
 * Ends an impact: the thread that goes through it is given ROLLKEEPER_DONE after the page it is at. From any thread.
 *
 * # Safety
 * `impact` is valid; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_impact_cancel(const struct rollkeeper_impact *impact,
                                           struct rollkeeper_error **error);

/**
 * Frees an impact, at its end or before. NULL is fine.
 *
 * # Safety
 * `impact` is NULL or valid; it is not valid afterwards, and no other function is using it.
 */
ROLLKEEPER_API void rollkeeper_impact_free(struct rollkeeper_impact *impact);

/**
 * Gives the next record as JSON text, to be freed with rollkeeper_string_free. Returns ROLLKEEPER_DONE after the last,
 * and again whenever asked. After a failure the same record may be asked for again.
 *
 * # Safety
 * `iterator` is valid and used by one thread at a time; `record` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_iterator_next(struct rollkeeper_iterator *iterator,
                                           char **record,
                                           struct rollkeeper_error **error);

/**
 * Frees an iterator, at its end or before. NULL is fine.
 *
 * # Safety
 * `iterator` is NULL or valid; it is not valid afterwards.
 */
ROLLKEEPER_API void rollkeeper_iterator_free(struct rollkeeper_iterator *iterator);

/**
 * Answers with a JSON document. The text is copied. It is read when the callback has returned; an answer that cannot be
 * read counts as failed with the code `invalid_answer`.
 *
 * # Safety
 * `reply` is the reply of the callback that is running; `json` leads to `json_length` bytes.
 */
ROLLKEEPER_API
rollkeeper_status rollkeeper_reply_set_json(struct rollkeeper_reply *reply,
                                            const char *json,
                                            size_t json_length);

/**
 * Answers with plain text, such as a secret. The text is copied, and our copy is wiped after use.
 *
 * # Safety
 * `reply` is the reply of the callback that is running; `answer` leads to `answer_length` bytes.
 */
ROLLKEEPER_API
rollkeeper_status rollkeeper_reply_set_text(struct rollkeeper_reply *reply,
                                            const char *answer,
                                            size_t answer_length);

/**
 * Answers with what an HTTP server answered: the status, the headers as a JSON object of texts (or NULL), and the body,
 * decompressed (or NULL). Everything is copied.
 *
 * # Safety
 * `reply` is the reply of the callback that is running; `headers` leads to `headers_length` bytes, `body` to `body_length`.
 */
ROLLKEEPER_API
rollkeeper_status rollkeeper_reply_set_response(struct rollkeeper_reply *reply,
                                                int32_t http_status,
                                                const char *headers,
                                                size_t headers_length,
                                                const uint8_t *body,
                                                size_t body_length);

/**
 * Answers that the call failed. `outcome` is one of the ROLLKEEPER_OUTCOME_* constants; `code` a name such as
 * `rate_limited`; `message` one line for the operator, without attribute values and secrets; `retry_after_seconds`
 * how long the target asked to wait, or -1; `external_id` the account that the target named, or NULL.
 *
 * # Safety
 * `reply` is the reply of the callback that is running; the texts end with NUL.
 */
ROLLKEEPER_API
rollkeeper_status rollkeeper_reply_fail(struct rollkeeper_reply *reply,
                                        int32_t outcome,
                                        const char *code,
                                        const char *message,
                                        int64_t retry_after_seconds,
                                        const char *external_id);

/**
 * Finds how users and accounts stand to each other, as a reconciliation does: every account, and every user without one, is
 * in exactly one situation. `users` are records as rollkeeper_engine_put_user takes them. `accounts` are objects with
 * `external_id` as connectors give them, or any other objects with `id`, which are then their own attributes. `links` is NULL,
 * or says which account belongs to whom: objects with `account`, `user`, `state`, `known`, `last`, `deleted`, `active`,
 * `frozen`, of which `account` is required.
 *
 * `options` is NULL or a JSON object with any of `matching`, `mapping`, `assigned_to`, `scope`, `tables` and `protected`, as
 * an app has them; `links`, a list instead of the argument; `now`, an RFC 3339 time; `complete`, false where the accounts are
 * not all there are; `memory`, the number of bytes that may be used before temporary files are; `threads`, the number of threads
 * that read the records; and `findings`, the list of the situations that rollkeeper_analysis_next gives.
 *
 * Fails with one error that lists every fault of the options; with ROLLKEEPER_INVALID_ARGUMENT where a file cannot be read or
 * a struct has both text and path or neither; with ROLLKEEPER_INVALID_JSON where a list does not end. A record that cannot be
 * read is no failure: the counts tell of it.
 *
 * # Safety
 * `users` and `accounts` are filled in as their fields say, `links` is NULL or is too; `options` is NULL or leads to
 * `options_length` bytes; `analysis` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_analyze(const struct rollkeeper_input *users,
                                     const struct rollkeeper_input *accounts,
                                     const struct rollkeeper_input *links,
                                     const char *options,
                                     size_t options_length,
                                     struct rollkeeper_analysis **analysis,
                                     struct rollkeeper_error **error);

/**
 * Gives the totals as JSON: `counts` by situation, `complete`, `repeated` (accounts with the id of one before),
 * `unreadable` (how many records take no part) and `faults`, the first thousand of those, each with `side`, `index` from 0,
 * `code` and `message`.
 *
 * # Safety
 * `analysis` is valid; `counts` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_analysis_counts(const struct rollkeeper_analysis *analysis,
                                             char **counts,
                                             struct rollkeeper_error **error);

/**
 * Gives the next finding as JSON, accounts in their order and then users in theirs, to be freed with
 * rollkeeper_string_free. Returns ROLLKEEPER_DONE after the last, and again whenever asked.
 *
 * Fails with ROLLKEEPER_INVALID_ARGUMENT where a file can no longer be read, with ROLLKEEPER_INTERNAL where it changed.
 *
 * # Safety
 * `analysis` is valid and gone through by one thread at a time; `finding` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_analysis_next(struct rollkeeper_analysis *analysis,
                                           char **finding,
                                           struct rollkeeper_error **error);

/**
 * Frees an analysis, at its end or before. NULL is fine.
 *
 * # Safety
 * `analysis` is NULL or valid; it is not valid afterwards, and no other function is using it.
 */
ROLLKEEPER_API void rollkeeper_analysis_free(struct rollkeeper_analysis *analysis);

/**
 * Stores an app's definition, a JSON document, and makes the requests that its change of assignment or mapping asks
 * for. Gives them as an iterator; `requests` may be NULL where nobody asks. `by` says who asked for it, as the host
 * asserts, or is NULL. Where so much would be taken away that it looks like a mistake, none of that is requested: it waits
 * in a reconciliation of the kind `source` until a second person agrees with rollkeeper_engine_release.
 *
 * Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY, ROLLKEEPER_MISSING_ID, ROLLKEEPER_UNKNOWN_OPERATION,
 * the codes of configuration (200 to 299), ROLLKEEPER_NOT_READY for an enabled app with an item that is not ready,
 * or the codes of the store.
 *
 * # Safety
 * `engine` is valid; `app` leads to `app_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_put_app(struct rollkeeper_engine *engine,
                                            const char *app,
                                            size_t app_length,
                                            const char *by,
                                            struct rollkeeper_iterator **requests,
                                            struct rollkeeper_error **error);

/**
 * Gives the app's definition as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `app` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_app(const struct rollkeeper_engine *engine,
                                        const char *id,
                                        char **app,
                                        struct rollkeeper_error **error);

/**
 * Gives every app by id, as an iterator of JSON documents.
 *
 * # Safety
 * `engine` is valid; `apps` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_apps(const struct rollkeeper_engine *engine,
                                         struct rollkeeper_iterator **apps,
                                         struct rollkeeper_error **error);

/**
 * Forgets an app. Nothing is sent: open requests are cancelled (failed as `uncertain` where they were sent and nobody
 * knows what came of it), accounts stay as they are. Gives the requests that ended as an iterator; `requests` may be
 * NULL where nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, or ROLLKEEPER_INVALID_TRANSITION while one of its requests is being sent.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `requests` is NULL or may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_delete_app(struct rollkeeper_engine *engine,
                                               const char *id,
                                               const char *by,
                                               struct rollkeeper_iterator **requests,
                                               struct rollkeeper_error **error);

/**
 * Gives everything that is wrong with a definition, what is allowed and hardly meant, and what has to hold before it is
 * enabled, as JSON with `findings`, `warnings`, `readiness`, `ready` and `expressions`. Nothing is stored.
 *
 * # Safety
 * `engine` is valid; `app` leads to `app_length` bytes; `validation` may be written; `error` is NULL or may be
 * written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_validate_app(const struct rollkeeper_engine *engine,
                                                 const char *app,
                                                 size_t app_length,
                                                 char **validation,
                                                 struct rollkeeper_error **error);

/**
 * Gives the app's definition as canonical JSON, the same bytes whenever nothing changed.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `app` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_export_app(const struct rollkeeper_engine *engine,
                                               const char *id,
                                               char **app,
                                               struct rollkeeper_error **error);

/**
 * Stores a definition that was exported. Gives the requests made as an iterator; `requests` may be NULL where nobody
 * asks. `by` says who asked for it, as the host asserts, or is NULL.
 *
 * Fails as rollkeeper_engine_put_app.
 *
 * # Safety
 * `engine` is valid; `app` leads to `app_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_import_app(struct rollkeeper_engine *engine,
                                               const char *app,
                                               size_t app_length,
                                               const char *by,
                                               struct rollkeeper_iterator **requests,
                                               struct rollkeeper_error **error);

/**
 * Asks the target of an app whether it can be reached and accepts the credentials. Gives JSON with `passed`, `fault`
 * and `capabilities`; a target that cannot be reached is an answer, not a failure.
 *
 * Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_UNKNOWN_CONNECTOR.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `result` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_test_app(const struct rollkeeper_engine *engine,
                                             const char *id,
                                             char **result,
                                             struct rollkeeper_error **error);

/**
 * Makes a connector known under a name, before the app that names it is put.
 *
 * The context belongs to the engine from now on, whether the call succeeds or not: `free_context` is called exactly
 * once, except where `struct_size` is too small.
 *
 * # Safety
 * `engine` is valid; `name` ends with NUL; `connector` is filled in as its fields say, and its functions may be called
 * from any thread until its context is freed; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_register_connector(struct rollkeeper_engine *engine,
                                                       const char *name,
                                                       const struct rollkeeper_connector *connector,
                                                       struct rollkeeper_error **error);

/**
 * Puts a secret of an app into the store, for `{"sealed": name}` in its definition: `value_length` bytes of UTF-8 at `value`,
 * which are not kept in clear. With NULL it is erased. It is sealed under the engine's key. An app may be put after its
 * secrets. `by` may be NULL.
 *
 * Fails with ROLLKEEPER_KEY_REQUIRED where the engine has no key; ROLLKEEPER_INVALID_ID or
 * ROLLKEEPER_INVALID_ARGUMENT where app, name or value is empty or too long.
 *
 * # Safety
 * `engine` is valid; `app` and `name` end with NUL; `value` is NULL or leads to `value_length` bytes; `by` is NULL or ends
 * with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_set_secret(struct rollkeeper_engine *engine,
                                               const char *app,
                                               const char *name,
                                               const char *value,
                                               size_t value_length,
                                               const char *by,
                                               struct rollkeeper_error **error);

/**
 * Gives what is known of an app's credentials as JSON: their kind, which secrets they need and whether these can be
 * had, how old the token in use is, when what a person has to renew ends. Nobody is asked, and no secret is in it.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `credentials` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_credentials(const struct rollkeeper_engine *engine,
                                                const char *app,
                                                char **credentials,
                                                struct rollkeeper_error **error);

/**
 * Gives the file another key: everything that the old one seals is sealed under the new one, in one transaction.
 * `old_key` leads to 32 bytes, or is NULL where the file has no key; `new_key` leads to 32 bytes. Other processes that
 * have the file open must open it anew; backups that were made before still need the old key. `by` may be NULL.
 *
 * Fails with ROLLKEEPER_KEY_MISSING where `old_key` is not the file's; ROLLKEEPER_READ_ONLY.
 *
 * # Safety
 * `engine` is valid; `old_key` is NULL or leads to 32 bytes; `new_key` leads to 32 bytes; `by` is NULL or ends with
 * NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_rotate_key(struct rollkeeper_engine *engine,
                                               const uint8_t *old_key,
                                               const uint8_t *new_key,
                                               const char *by,
                                               struct rollkeeper_error **error);

/**
 * Gives accounts by app and external id, as an iterator of JSON records. `filter` is NULL or a JSON object with any of
 * `app`, `user`, `status`, `link_state`, `limit`, `after` (a list of app and external id).
 *
 * Fails as rollkeeper_engine_requests.
 *
 * # Safety
 * `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `accounts` may be written; `error` is NULL
 * or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_accounts(const struct rollkeeper_engine *engine,
                                             const char *filter,
                                             size_t filter_length,
                                             struct rollkeeper_iterator **accounts,
                                             struct rollkeeper_error **error);

/**
 * Gives what would be sent for a user, and how each value came about, as JSON. Nothing is sent.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `user` ends with NUL; `preview` may be written; `error` is NULL or may be
 * written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_preview(const struct rollkeeper_engine *engine,
                                            const char *app,
                                            const char *user,
                                            char **preview,
                                            struct rollkeeper_error **error);

/**
 * As rollkeeper_engine_preview, where the app and the user may be documents that are not stored: exactly one of
 * `app_id` and `app` is given and the other is NULL, and one of `user_id` and `user`. A definition can so be tried before
 * it is put. Nothing is stored, nothing is sent, and no connector is asked.
 *
 * Fails as rollkeeper_engine_preview, as rollkeeper_engine_put_app and rollkeeper_engine_put_user where a document cannot
 * be read or is at fault, and with ROLLKEEPER_INVALID_ARGUMENT where both or neither of two is given.
 *
 * # Safety
 * `engine` is valid; `app_id` and `user_id` are NULL or end with NUL; `app` is NULL or leads to `app_length` bytes,
 * `user` to `user_length`; `preview` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_preview_documents(const struct rollkeeper_engine *engine,
                                                      const char *app_id,
                                                      const char *app,
                                                      size_t app_length,
                                                      const char *user_id,
                                                      const char *user,
                                                      size_t user_length,
                                                      char **preview,
                                                      struct rollkeeper_error **error);

/**
 * Gives why a user has what they have in an app, as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `user` ends with NUL; `explanation` may be written; `error` is NULL or may
 * be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_explain(const struct rollkeeper_engine *engine,
                                            const char *app,
                                            const char *user,
                                            char **explanation,
                                            struct rollkeeper_error **error);

/**
 * Gives log entries by number, as an iterator of JSON records. `filter` is NULL or a JSON object with any of `app`,
 * `user`, `request`, `limit`, `after`.
 *
 * Fails as rollkeeper_engine_requests.
 *
 * # Safety
 * `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `entries` may be written; `error` is NULL
 * or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_log(const struct rollkeeper_engine *engine,
                                        const char *filter,
                                        size_t filter_length,
                                        struct rollkeeper_iterator **entries,
                                        struct rollkeeper_error **error);

/**
 * Says whether the log's chain holds, as JSON with `whole`, `entries`, `head` and `broken_at`. A broken chain is an
 * answer, not a failure.
 *
 * # Safety
 * `engine` is valid; `verdict` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_verify_log(const struct rollkeeper_engine *engine,
                                               char **verdict,
                                               struct rollkeeper_error **error);

/**
 * Gives the tiles of a user, one for each app in which they can work, as an iterator of JSON records.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `user` ends with NUL; `tiles` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_launcher(const struct rollkeeper_engine *engine,
                                             const char *user,
                                             struct rollkeeper_iterator **tiles,
                                             struct rollkeeper_error **error);

/**
 * Holds an app, a user, one user in one app, or one request: nothing of it is sent until it is resumed, removals of
 * access neither. `app` and `user` may be NULL where they are not meant; `request` stands alone. `by` says who holds
 * it, `reason` why. Gives the hold as JSON; what was held already stays as it was.
 *
 * Fails with ROLLKEEPER_INVALID_ARGUMENT where nothing is named, or a request together with something else, or no
 * reason; ROLLKEEPER_NOT_FOUND; ROLLKEEPER_INVALID_TRANSITION where the request is finished.
 *
 * # Safety
 * `engine` is valid; `app`, `user` and `request` are NULL or end with NUL; `by` and `reason` end with NUL; `hold` may
 * be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_hold(struct rollkeeper_engine *engine,
                                         const char *app,
                                         const char *user,
                                         const char *request,
                                         const char *by,
                                         const char *reason,
                                         char **hold,
                                         struct rollkeeper_error **error);

/**
 * Ends the hold of exactly that scope. Gives it as JSON, or the text `null` where that was not held. What another hold
 * names stays held. `by` says who resumes it.
 *
 * Fails as rollkeeper_engine_hold does.
 *
 * # Safety
 * `engine` is valid; `app`, `user` and `request` are NULL or end with NUL; `by` ends with NUL; `hold` may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_resume(struct rollkeeper_engine *engine,
                                           const char *app,
                                           const char *user,
                                           const char *request,
                                           const char *by,
                                           char **hold,
                                           struct rollkeeper_error **error);

/**
 * Gives everything that is held, the longest held first, as an iterator of JSON records.
 *
 * # Safety
 * `engine` is valid; `holds` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_holds(const struct rollkeeper_engine *engine,
                                          struct rollkeeper_iterator **holds,
                                          struct rollkeeper_error **error);

/**
 * Begins or ends the maintenance of an app's target. While it lasts nothing is sent, and requests wait. `by` says who
 * asked for it. Said twice, it changes nothing.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `app` and `by` end with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_set_maintenance(struct rollkeeper_engine *engine,
                                                    const char *app,
                                                    bool on,
                                                    const char *by,
                                                    struct rollkeeper_error **error);

/**
 * Compiles a mapping, a JSON list of rules as an app has it, to be rendered many times.
 *
 * Fails with one error that lists every fault: ROLLKEEPER_INVALID_JSON, ROLLKEEPER_INVALID_DOCUMENT and
 * ROLLKEEPER_UNKNOWN_KEY, and the codes of mappings and expressions.
 *
 * # Safety
 * `rules` leads to `rules_length` bytes; `mapping` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mapping_compile(const char *rules,
                                             size_t rules_length,
                                             struct rollkeeper_mapping **mapping,
                                             struct rollkeeper_error **error);

/**
 * Writes the attributes of a new account for a user into `buffer`, as JSON that ends with NUL: the `attributes` of
 * rollkeeper_render, and much faster. `length` gets the length without the NUL. Where that is not less than `capacity`
 * the text did not fit, and nothing is written to `buffer`: call again with more. `buffer` may be NULL where `capacity`
 * is 0. `now` is as for rollkeeper_evaluate.
 *
 * Fails with one error that lists every fault.
 *
 * # Safety
 * `mapping` is valid; `user` leads to `user_length` bytes; `now` is NULL or ends with NUL; `buffer` may be written for
 * `capacity` bytes; `length` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mapping_render(const struct rollkeeper_mapping *mapping,
                                            const char *user,
                                            size_t user_length,
                                            const char *now,
                                            char *buffer,
                                            size_t capacity,
                                            size_t *length,
                                            struct rollkeeper_error **error);

/**
 * Does so for many users, one a line, and gives one line for each, in their order: `{"attributes":…}`, or
 * `{"faults":[…]}` with the faults of that user alone. A line break at the very end begins no further line; a line
 * without a user is one with a fault. `lines` is freed with rollkeeper_string_free; `lines_length` may be NULL.
 *
 * # Safety
 * `mapping` is valid; `users` leads to `users_length` bytes; `now` is NULL or ends with NUL; `lines` may be written;
 * `lines_length` is NULL or may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mapping_render_lines(const struct rollkeeper_mapping *mapping,
                                                  const char *users,
                                                  size_t users_length,
                                                  const char *now,
                                                  char **lines,
                                                  size_t *lines_length,
                                                  struct rollkeeper_error **error);

/**
 * Frees a compiled mapping. NULL is fine.
 *
 * # Safety
 * `mapping` is NULL or valid, and nobody else uses it; it is not valid afterwards.
 */
ROLLKEEPER_API void rollkeeper_mapping_free(struct rollkeeper_mapping *mapping);

/**
 * Opens an engine.
 *
 * The contexts of `secrets`, `log`, `clock`, `alerts` and `transport` belong to the engine from now on, whether the call succeeds or not: their
 * `free_context` is called exactly once, except where the `struct_size` of its own or of the options is too small.
 *
 * Fails with ROLLKEEPER_STORE_NEWER, ROLLKEEPER_STORE_DAMAGED, ROLLKEEPER_STORE_UNWRITABLE, ROLLKEEPER_STORE_BUSY,
 * ROLLKEEPER_STORE_FULL, ROLLKEEPER_STORE_MISSING, ROLLKEEPER_KEY_MISSING, ROLLKEEPER_NULL_ARGUMENT,
 * ROLLKEEPER_INVALID_ARGUMENT or ROLLKEEPER_INVALID_UTF8.
 *
 * # Safety
 * `options` is NULL (all defaults) or filled in as its fields say; the functions in its tables may be called from any
 * thread until their context is freed; `engine` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_open(const struct rollkeeper_open_options *options,
                                         struct rollkeeper_engine **engine,
                                         struct rollkeeper_error **error);

/**
 * Writes a consistent copy of the database to `path`, which must not exist.
 *
 * # Safety
 * `engine` is valid; `path` ends with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_backup(const struct rollkeeper_engine *engine,
                                           const char *path,
                                           struct rollkeeper_error **error);

/**
 * Says whether some event leads from one request state to the other.
 *
 * Fails with ROLLKEEPER_UNKNOWN_STATE.
 *
 * # Safety
 * `from` ends with NUL; `to` ends with NUL; `allowed` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_can_change(const char *from,
                                        const char *to,
                                        bool *allowed,
                                        struct rollkeeper_error **error);

/**
 * Gives the state that an event leads to.
 *
 * Fails with ROLLKEEPER_INVALID_TRANSITION where the event may not happen in that state, and with
 * ROLLKEEPER_UNKNOWN_STATE where there is no such state or event.
 *
 * # Safety
 * `from` ends with NUL; `event` ends with NUL; `next` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_next_state(const char *from,
                                        const char *event,
                                        char **next,
                                        struct rollkeeper_error **error);

/**
 * Gives the value of an expression for a user, as JSON. `now` is the RFC 3339 time that the expression sees, or NULL
 * for the time of the system.
 *
 * Fails with the codes of expressions (ROLLKEEPER_EXPRESSION_INVALID and others, with the position in the JSON of
 * the error) and of documents.
 *
 * # Safety
 * `expression` ends with NUL; `user` leads to `user_length` bytes; `now` is NULL or ends with NUL; `value` may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_evaluate(const char *expression,
                                      const char *user,
                                      size_t user_length,
                                      const char *now,
                                      char **value,
                                      struct rollkeeper_error **error);

/**
 * Does the same with more for the expression to see: `options` is NULL or a JSON object with any of `current` (the
 * account's attributes), `app` (`id`, `label`), `iteration`, `token`, `now` (which counts before the argument) and
 * `tables`.
 *
 * Fails as rollkeeper_evaluate does, and with the codes of documents for the options.
 *
 * # Safety
 * `expression` ends with NUL; `user` leads to `user_length` bytes; `options` is NULL or leads to `options_length` bytes;
 * `now` is NULL or ends with NUL; `value` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_evaluate_with(const char *expression,
                                           const char *user,
                                           size_t user_length,
                                           const char *options,
                                           size_t options_length,
                                           const char *now,
                                           char **value,
                                           struct rollkeeper_error **error);

/**
 * Gives what can be told of an expression without evaluating it, as JSON with `variables`, `functions`, `paths`, `type`
 * and `cost`. `tables` is NULL or a JSON object with the tables that `lookup` may name.
 *
 * Fails with the codes of expressions (ROLLKEEPER_EXPRESSION_INVALID and others, with the position in the JSON of
 * the error) and of documents.
 *
 * # Safety
 * `expression` ends with NUL; `tables` is NULL or leads to `tables_length` bytes; `report` may be written; `error` is
 * NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_check_expression(const char *expression,
                                              const char *tables,
                                              size_t tables_length,
                                              char **report,
                                              struct rollkeeper_error **error);

/**
 * Gives what a mapping makes of a user, as JSON with `attributes`, `changes` and `skipped`. `mapping` is a JSON list
 * of rules; `current` is NULL or the account's attributes as they are, `last` NULL or as they were last sent; `now` as
 * for rollkeeper_evaluate.
 *
 * Fails with one error that lists every fault.
 *
 * # Safety
 * `mapping` leads to `mapping_length` bytes; `user` leads to `user_length` bytes; `current` is NULL or leads to
 * `current_length` bytes; `last` is NULL or leads to `last_length` bytes; `now` is NULL or ends with NUL; `result`
 * may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_render(const char *mapping,
                                    size_t mapping_length,
                                    const char *user,
                                    size_t user_length,
                                    const char *current,
                                    size_t current_length,
                                    const char *last,
                                    size_t last_length,
                                    const char *now,
                                    char **result,
                                    struct rollkeeper_error **error);

/**
 * Gives which of some accounts of a target belongs to a user, as JSON with `decision` and `candidates`. `matching` is what
 * an app has under that key; `accounts` is a JSON list of accounts, of which `external_id` and `attributes` matter.
 *
 * Fails with one error that lists every fault.
 *
 * # Safety
 * `matching` leads to `matching_length` bytes; `user` leads to `user_length` bytes; `accounts` leads to
 * `accounts_length` bytes; `result` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_match_accounts(const char *matching,
                                            size_t matching_length,
                                            const char *user,
                                            size_t user_length,
                                            const char *accounts,
                                            size_t accounts_length,
                                            char **result,
                                            struct rollkeeper_error **error);

/**
 * Reads the target of an app, compares it with the users, and makes a plan; goes on with a reconciliation that was
 * interrupted. Nothing is changed. Gives the reconciliation as JSON: `id`, `state`, `verdict`, `counts` by situation,
 * `digest`, `brake` and more. `by` says who asked for it, as the host asserts, or is NULL. It may take long;
 * rollkeeper_engine_cancel_run from another thread ends it after the page it is at, as far as it came.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_CONNECTOR, ROLLKEEPER_READ_ONLY or the codes of the store. What the
 * target does is no failure of this function: it is in `faults` of a reconciliation that is `Failed`.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `reconciliation` may be written; `error` is
 * NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_reconcile(struct rollkeeper_engine *engine,
                                              const char *app,
                                              const char *by,
                                              char **reconciliation,
                                              struct rollkeeper_error **error);

/**
 * Does what rollkeeper_engine_reconcile does, and tells how it goes. `watch` is NULL where nobody asks.
 *
 * Fails as rollkeeper_engine_reconcile, and with ROLLKEEPER_INVALID_ARGUMENT for a `watch` of a size that does not exist.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `watch` is NULL or filled in as its fields say;
 * `reconciliation` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_reconcile_watched(struct rollkeeper_engine *engine,
                                                      const char *app,
                                                      const char *by,
                                                      const struct rollkeeper_watch *watch,
                                                      char **reconciliation,
                                                      struct rollkeeper_error **error);

/**
 * Does the same with accounts that the host collected: `accounts` is a JSON list or one JSON object a line, each as a
 * connector gives it. `complete` says whether these are all accounts of the target; where it is false, nothing is
 * concluded from absence. Gives the reconciliation as JSON. `by` as for rollkeeper_engine_reconcile.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_JSON, ROLLKEEPER_RECONCILIATION_OPEN or ROLLKEEPER_READ_ONLY.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `accounts` leads to `accounts_length` bytes; `by` is NULL or ends with NUL;
 * `reconciliation` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_stage_accounts(struct rollkeeper_engine *engine,
                                                   const char *app,
                                                   const char *accounts,
                                                   size_t accounts_length,
                                                   bool complete,
                                                   const char *by,
                                                   char **reconciliation,
                                                   struct rollkeeper_error **error);

/**
 * Gives one reconciliation as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `reconciliation` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_reconciliation(const struct rollkeeper_engine *engine,
                                                   const char *id,
                                                   char **reconciliation,
                                                   struct rollkeeper_error **error);

/**
 * Gives reconciliations by id, which is by time of making, as an iterator of JSON records. `filter` is NULL or a JSON
 * object with any of `app`, `kind`, `state`, `limit`, `after`.
 *
 * Fails as rollkeeper_engine_requests.
 *
 * # Safety
 * `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `reconciliations` may be written; `error` is
 * NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_reconciliations(const struct rollkeeper_engine *engine,
                                                    const char *filter,
                                                    size_t filter_length,
                                                    struct rollkeeper_iterator **reconciliations,
                                                    struct rollkeeper_error **error);

/**
 * Gives the items of a reconciliation's plan by their numbers, as an iterator of JSON records. `filter` is NULL or a JSON
 * object with any of `situation`, `reaction`, `state`, `user`, `limit`, `after` (a number).
 *
 * Fails with ROLLKEEPER_NOT_FOUND, and with the codes of filters; a name that does not exist gives
 * ROLLKEEPER_INVALID_ARGUMENT.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `filter` is NULL or leads to `filter_length` bytes; `items` may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_plan(const struct rollkeeper_engine *engine,
                                         const char *id,
                                         const char *filter,
                                         size_t filter_length,
                                         struct rollkeeper_iterator **items,
                                         struct rollkeeper_error **error);

/**
 * Carries out exactly the plan with that digest. What the brake holds waits for rollkeeper_engine_release; an item whose
 * user, account or app changed since is refused and named. Gives the reconciliation as JSON. `by` says who.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, or ROLLKEEPER_PLAN_CHANGED where the plan has another
 * digest by now.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `digest` ends with NUL; `by` ends with NUL; `reconciliation` may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_commit(struct rollkeeper_engine *engine,
                                           const char *id,
                                           const char *digest,
                                           const char *by,
                                           char **reconciliation,
                                           struct rollkeeper_error **error);

/**
 * Says that a second person agrees to what the brake holds of the plan with that digest: it is let through once, within
 * 24 hours, and of what a definition or a list would take away at any time. Gives the reconciliation as JSON. `by` says who.
 *
 * Fails as rollkeeper_engine_commit, and with ROLLKEEPER_FOUR_EYES where the same person asked for the reconciliation or
 * committed it.
 *
 * # Safety
 * As for rollkeeper_engine_commit.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_release(struct rollkeeper_engine *engine,
                                            const char *id,
                                            const char *digest,
                                            const char *by,
                                            char **reconciliation,
                                            struct rollkeeper_error **error);

/**
 * Says what a person decides about the item of that number, which waits for it. `decision` is a JSON object with
 * `reaction` and, where one of several users is meant, `user`. The plan has another digest then. Gives the reconciliation
 * as JSON. `by` says who.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, ROLLKEEPER_INVALID_DOCUMENT or
 * ROLLKEEPER_INVALID_ARGUMENT.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `decision` leads to `decision_length` bytes; `by` ends with NUL;
 * `reconciliation` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_review(struct rollkeeper_engine *engine,
                                           const char *id,
                                           uint64_t item,
                                           const char *decision,
                                           size_t decision_length,
                                           const char *by,
                                           char **reconciliation,
                                           struct rollkeeper_error **error);

/**
 * Makes a plan that puts back what a reconciliation or a request changed, from the values that were stored before. `id` is
 * that of the reconciliation or of the request. It is committed, held and released as any other plan. Gives the new
 * reconciliation as JSON; `notes` says first what cannot be undone. `by` says who.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION or ROLLKEEPER_CANNOT_BE_UNDONE.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` ends with NUL; `reconciliation` may be written; `error` is NULL or may be
 * written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_undo(struct rollkeeper_engine *engine,
                                         const char *id,
                                         const char *by,
                                         char **reconciliation,
                                         struct rollkeeper_error **error);

/**
 * Gives requests by id, which is by time of making, as an iterator of JSON records. `filter` is NULL or a JSON object
 * with any of `app`, `user`, `state`, `operation`, `waiting_for`, `limit`, `after`.
 *
 * Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY, ROLLKEEPER_UNKNOWN_STATE,
 * ROLLKEEPER_UNKNOWN_OPERATION, ROLLKEEPER_INVALID_ARGUMENT or ROLLKEEPER_INVALID_DOCUMENT.
 *
 * # Safety
 * `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `requests` may be written; `error` is NULL
 * or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_requests(const struct rollkeeper_engine *engine,
                                             const char *filter,
                                             size_t filter_length,
                                             struct rollkeeper_iterator **requests,
                                             struct rollkeeper_error **error);

/**
 * Gives one request with its attempts (`history`), as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `request` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_request(const struct rollkeeper_engine *engine,
                                            const char *id,
                                            char **request,
                                            struct rollkeeper_error **error);

/**
 * Asks for an operation by hand. `operation` is a name such as `Update`; `not_before` an RFC 3339 time before which
 * nothing is sent, or NULL. Gives the request as JSON. `by` says who asked for it, as the host asserts, or is NULL.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_OPERATION, ROLLKEEPER_OPERATION_OFF or
 * ROLLKEEPER_INVALID_TIME.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `user` ends with NUL; `operation` ends with NUL; `by` is NULL or ends with
 * NUL; `not_before` is NULL or ends with NUL; `request` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_submit(struct rollkeeper_engine *engine,
                                           const char *app,
                                           const char *user,
                                           const char *operation,
                                           const char *by,
                                           const char *not_before,
                                           char **request,
                                           struct rollkeeper_error **error);

/**
 * Cancels a request that has not been sent. Gives it as JSON. `by` says who asked for it, as the host asserts, or is
 * NULL.
 *
 * Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `request` may be written; `error` is NULL or
 * may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_cancel(struct rollkeeper_engine *engine,
                                           const char *id,
                                           const char *by,
                                           char **request,
                                           struct rollkeeper_error **error);

/**
 * Agrees to a request. `by` says who; `comment` may be NULL. Gives the request as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_INVALID_TRANSITION, or ROLLKEEPER_FOUR_EYES where the same person
 * asked for it.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` ends with NUL; `comment` is NULL or ends with NUL; `request` may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_approve(struct rollkeeper_engine *engine,
                                            const char *id,
                                            const char *by,
                                            const char *comment,
                                            char **request,
                                            struct rollkeeper_error **error);

/**
 * Refuses a request. `by` says who; `comment` may be NULL. Gives the request as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` ends with NUL; `comment` is NULL or ends with NUL; `request` may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_deny(struct rollkeeper_engine *engine,
                                         const char *id,
                                         const char *by,
                                         const char *comment,
                                         char **request,
                                         struct rollkeeper_error **error);

/**
 * Has a failed request tried again. Gives the new request, a clone, as JSON. `by` says who asked for it.
 *
 * Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` ends with NUL; `request` may be written; `error` is NULL or may be
 * written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_retry(struct rollkeeper_engine *engine,
                                          const char *id,
                                          const char *by,
                                          char **request,
                                          struct rollkeeper_error **error);

/**
 * Says that a person did what a failed request was for. `note` tells how; `external_id` is the account, or NULL. Gives
 * the request as JSON. `by` says who did it.
 *
 * Fails with ROLLKEEPER_NOT_FOUND or ROLLKEEPER_INVALID_TRANSITION.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` ends with NUL; `note` ends with NUL; `external_id` is NULL or ends
 * with NUL; `request` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_complete_manually(struct rollkeeper_engine *engine,
                                                      const char *id,
                                                      const char *by,
                                                      const char *note,
                                                      const char *external_id,
                                                      char **request,
                                                      struct rollkeeper_error **error);

/**
 * Asks an app's target what attributes it has and what it can do, keeps the answer, and gives it as JSON with
 * `attributes`, `features`, `resource_types`, `source`, `complete`, `findings`, `changed`, `broken` and
 * `discovered_at`. Mappings are checked against it from then on. A target in trouble is an answer, not a failure.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNKNOWN_CONNECTOR, ROLLKEEPER_SECRET_MISSING, or the codes of the store.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `discovery` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_discover(struct rollkeeper_engine *engine,
                                             const char *app,
                                             char **discovery,
                                             struct rollkeeper_error **error);

/**
 * Proposes mapping and matching rules for an app, from the attributes of the users in the store and those of the
 * target. Gives JSON with `mapping` and `matching`, usable as they are, `suggestions`, `missing` and `unused`.
 *
 * Fails with ROLLKEEPER_NOT_FOUND, or the codes of the store.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `suggestion` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_suggest_mapping(const struct rollkeeper_engine *engine,
                                                    const char *app,
                                                    char **suggestion,
                                                    struct rollkeeper_error **error);

/**
 * Finds out how an app's SCIM target takes what it is sent, by making an account or two and a group there, changing them and
 * taking them away again. `sandbox` has to say that this may be done. Gives JSON with `findings` (`step`, `tried`,
 * `answered`, `conclusion`), `features`, which are used from then on where the definition does not say otherwise, `left`,
 * what could not be taken away again, and `faults`. It may take some minutes. A target in trouble is an answer, not a
 * failure. `by` says who asked for it, or is NULL.
 *
 * Fails with ROLLKEEPER_SANDBOX_REQUIRED, ROLLKEEPER_NOT_FOUND, ROLLKEEPER_UNSUPPORTED, ROLLKEEPER_SECRET_MISSING,
 * ROLLKEEPER_OPERATION_OFF, ROLLKEEPER_READ_ONLY, or the codes of the store.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `by` is NULL or ends with NUL; `report` may be written; `error` is NULL or may be
 * written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_probe(struct rollkeeper_engine *engine,
                                          const char *app,
                                          bool sandbox,
                                          const char *by,
                                          char **report,
                                          struct rollkeeper_error **error);

/**
 * Makes a mock target of its own. `options` is NULL or a JSON object such as `{"unique": false}`.
 *
 * # Safety
 * `options` is NULL or leads to `options_length` bytes; `target` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_new(const char *options,
                                             size_t options_length,
                                             struct rollkeeper_mock_target **target,
                                             struct rollkeeper_error **error);

/**
 * Gives the mock target of an app whose connector is of kind `mock`. It stays usable after the engine was freed.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `app` ends with NUL; `target` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_mock_target(const struct rollkeeper_engine *engine,
                                                const char *app,
                                                struct rollkeeper_mock_target **target,
                                                struct rollkeeper_error **error);

/**
 * Makes a mock target known to an engine as a connector of that name, as rollkeeper_engine_register_connector does.
 *
 * # Safety
 * `engine` and `target` are valid; `name` ends with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_register_mock_target(struct rollkeeper_engine *engine,
                                                         const char *name,
                                                         const struct rollkeeper_mock_target *target,
                                                         struct rollkeeper_error **error);

/**
 * Adds faults to the target's script, a JSON list; each is used up by the call it meets.
 *
 * # Safety
 * `target` is valid; `faults` leads to `faults_length` bytes; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_script(struct rollkeeper_mock_target *target,
                                                const char *faults,
                                                size_t faults_length,
                                                struct rollkeeper_error **error);

/**
 * Tells the target which attributes it has from now on, a JSON list as a connector's `schema` gives it.
 *
 * # Safety
 * `target` is valid; `attributes` leads to `attributes_length` bytes; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_set_schema(struct rollkeeper_mock_target *target,
                                                    const char *attributes,
                                                    size_t attributes_length,
                                                    struct rollkeeper_error **error);

/**
 * Gives every call that the target has had, as a JSON list.
 *
 * # Safety
 * `target` is valid; `calls` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_calls(const struct rollkeeper_mock_target *target,
                                               char **calls,
                                               struct rollkeeper_error **error);

/**
 * Gives every account that the target holds, as a JSON list.
 *
 * # Safety
 * `target` is valid; `accounts` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_accounts(const struct rollkeeper_mock_target *target,
                                                  char **accounts,
                                                  struct rollkeeper_error **error);

/**
 * Puts an account, a JSON object as a connector gives it, as it is and without a call: a change behind the engine's back.
 *
 * # Safety
 * `target` is valid; `account` leads to `account_length` bytes; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_put_account(struct rollkeeper_mock_target *target,
                                                     const char *account,
                                                     size_t account_length,
                                                     struct rollkeeper_error **error);

/**
 * Takes an account away without a call. Gives whether there was one.
 *
 * # Safety
 * `target` is valid; `external_id` ends with NUL; `removed` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_mock_target_remove_account(struct rollkeeper_mock_target *target,
                                                        const char *external_id,
                                                        bool *removed,
                                                        struct rollkeeper_error **error);

/**
 * Frees a handle of a mock target; an app that uses the target keeps it. NULL is fine.
 *
 * # Safety
 * `target` is NULL or valid; it is not valid afterwards.
 */
ROLLKEEPER_API void rollkeeper_mock_target_free(struct rollkeeper_mock_target *target);

/**
 * Makes a clock that shows `start`, an RFC 3339 time.
 *
 * Fails with ROLLKEEPER_INVALID_TIME.
 *
 * # Safety
 * `start` ends with NUL; `clock` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_virtual_clock_new(const char *start,
                                               struct rollkeeper_virtual_clock **clock,
                                               struct rollkeeper_error **error);

/**
 * Moves the clock forward by an ISO 8601 duration such as `PT1H`.
 *
 * Fails with ROLLKEEPER_INVALID_TIME.
 *
 * # Safety
 * `clock` is valid; `duration` ends with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_virtual_clock_advance(struct rollkeeper_virtual_clock *clock,
                                                   const char *duration,
                                                   struct rollkeeper_error **error);

/**
 * Sets the clock to an RFC 3339 time, backwards too.
 *
 * Fails with ROLLKEEPER_INVALID_TIME.
 *
 * # Safety
 * `clock` is valid; `time` ends with NUL; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_virtual_clock_set(struct rollkeeper_virtual_clock *clock,
                                               const char *time,
                                               struct rollkeeper_error **error);

/**
 * Gives the time that the clock shows, in RFC 3339.
 *
 * # Safety
 * `clock` is valid; `time` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_virtual_clock_now(const struct rollkeeper_virtual_clock *clock,
                                               char **time,
                                               struct rollkeeper_error **error);

/**
 * Frees a handle of a virtual clock; an engine that uses the clock keeps it. NULL is fine.
 *
 * # Safety
 * `clock` is NULL or valid; it is not valid afterwards.
 */
ROLLKEEPER_API void rollkeeper_virtual_clock_free(struct rollkeeper_virtual_clock *clock);

/**
 * Runs the conformance suite against a connector. It makes a few accounts and takes them away again. `options` is NULL
 * or a JSON object with `prefix` (the beginning of every name it makes), `attributes` (put on every account)
 * and `group` (the id of a group into which an account may be put, and taken out of it again). Gives
 * JSON with `checks` and `passed`; a check that does not pass is an answer, not a failure. The context is freed at the
 * end, as rollkeeper_engine_register_connector says.
 *
 * # Safety
 * `connector` is filled in as its fields say; `options` is NULL or leads to `options_length` bytes; `report` may be
 * written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_check_connector(const struct rollkeeper_connector *connector,
                                             const char *options,
                                             size_t options_length,
                                             char **report,
                                             struct rollkeeper_error **error);

/**
 * Stores a user's record, a JSON document, and makes the requests that the change asks for. Gives them as an iterator;
 * `requests` may be NULL where nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
 *
 * Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_MISSING_ID, ROLLKEEPER_INVALID_ID, ROLLKEEPER_INVALID_TIME,
 * ROLLKEEPER_INVALID_DOCUMENT, ROLLKEEPER_ACTIVE_REQUIRED, or the codes of the store.
 *
 * # Safety
 * `engine` is valid; `user` leads to `user_length` bytes; `by` is NULL or ends with NUL; `requests` is NULL or may
 * be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_put_user(struct rollkeeper_engine *engine,
                                             const char *user,
                                             size_t user_length,
                                             const char *by,
                                             struct rollkeeper_iterator **requests,
                                             struct rollkeeper_error **error);

/**
 * Stores many users, each record on its own. `users` is a JSON list or one JSON object a line. Gives JSON with
 * `stored`, `unchanged`, `requests` and `faults`: a bad record stops nobody else. `by` says who asked for it, as the
 * host asserts, or is NULL.
 *
 * # Safety
 * `engine` is valid; `users` leads to `users_length` bytes; `by` is NULL or ends with NUL; `result` may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_put_users(struct rollkeeper_engine *engine,
                                              const char *users,
                                              size_t users_length,
                                              const char *by,
                                              char **result,
                                              struct rollkeeper_error **error);

/**
 * Stores users as rollkeeper_engine_put_users does, from the list of all users there are: who is not in it has left. The
 * JSON also has `snapshot` with `verdict`, `why`, `leavers`, `noted`, `held` and `reconciliation`: who is absent leaves when
 * a second list, at least ten minutes later, is without them too, and a list that looks like a mistake waits for a second
 * person.
 *
 * # Safety
 * `engine` is valid; `users` leads to `users_length` bytes; `by` is NULL or ends with NUL; `result` may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_put_users_snapshot(struct rollkeeper_engine *engine,
                                                       const char *users,
                                                       size_t users_length,
                                                       const char *by,
                                                       char **result,
                                                       struct rollkeeper_error **error);

/**
 * Says that the user has left the directory. Gives the requests made as an iterator; `requests` may be NULL where
 * nobody asks. `by` says who asked for it, as the host asserts, or is NULL.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `by` is NULL or ends with NUL; `requests` is NULL or may be written;
 * `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_delete_user(struct rollkeeper_engine *engine,
                                                const char *id,
                                                const char *by,
                                                struct rollkeeper_iterator **requests,
                                                struct rollkeeper_error **error);

/**
 * Gives the user as stored, as JSON.
 *
 * Fails with ROLLKEEPER_NOT_FOUND.
 *
 * # Safety
 * `engine` is valid; `id` ends with NUL; `user` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_user(const struct rollkeeper_engine *engine,
                                         const char *id,
                                         char **user,
                                         struct rollkeeper_error **error);

/**
 * Gives users by id, as an iterator of JSON documents. `filter` is NULL or a JSON object with `limit` and `after`.
 *
 * Fails with ROLLKEEPER_INVALID_JSON, ROLLKEEPER_UNKNOWN_KEY or ROLLKEEPER_INVALID_DOCUMENT.
 *
 * # Safety
 * `engine` is valid; `filter` is NULL or leads to `filter_length` bytes; `users` may be written; `error` is NULL or
 * may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_users(const struct rollkeeper_engine *engine,
                                          const char *filter,
                                          size_t filter_length,
                                          struct rollkeeper_iterator **users,
                                          struct rollkeeper_error **error);

/**
 * The version of the library at run time, as static text.
 */
ROLLKEEPER_API const char *rollkeeper_version(void);

/**
 * The version of the library at run time, as ROLLKEEPER_VERSION_NUMBER.
 */
ROLLKEEPER_API uint32_t rollkeeper_version_number(void);

/**
 * The version of the binary interface at run time. A program that loads the library dynamically compares it with
 * ROLLKEEPER_ABI_VERSION before anything else.
 */
ROLLKEEPER_API
uint32_t rollkeeper_abi_version(void);

/**
 * Does everything that is due and returns when nothing is, when the timeout has passed, or when the run was cancelled.
 * Gives JSON with `done`, `completed`, `failed`, `open`, `due`, `next_due` and `stopped`. `options` may be NULL.
 *
 * Fails with ROLLKEEPER_READ_ONLY, ROLLKEEPER_INVALID_TIME, ROLLKEEPER_INVALID_ARGUMENT or the codes of the store. What
 * fails at a target is not a failure of the run.
 *
 * # Safety
 * `engine` is valid; `options` is NULL or filled in as its fields say; `progress` may be written; `error` is NULL or may
 * be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_run(struct rollkeeper_engine *engine,
                                        const struct rollkeeper_run_options *options,
                                        char **progress,
                                        struct rollkeeper_error **error);

/**
 * Does one unit of work. Gives JSON with `worked` and `next_due`.
 *
 * # Safety
 * `engine` is valid; `step` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_step(struct rollkeeper_engine *engine,
                                         char **step,
                                         struct rollkeeper_error **error);

/**
 * Gives how the work stands as JSON: `at`, `logged`, and `apps` with, for each app, `open` by what requests wait for, `due`,
 * `next_due`, `sending`, `removals` and `oldest_removal`, `paused_until`, `attempts` by outcome and `ended` by how.
 *
 * Fails with the codes of the store.
 *
 * # Safety
 * `engine` is valid; `metrics` may be written; `error` is NULL or may be written.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_metrics(const struct rollkeeper_engine *engine,
                                            char **metrics,
                                            struct rollkeeper_error **error);

/**
 * Gives what rollkeeper_engine_metrics gives in the OpenMetrics text form, for a scraper.
 *
 * # Safety
 * As rollkeeper_engine_metrics.
 */
ROLLKEEPER_API
ROLLKEEPER_MUST_USE
rollkeeper_status rollkeeper_engine_open_metrics(const struct rollkeeper_engine *engine,
                                                 char **text,
                                                 struct rollkeeper_error **error);

/**
 * Ends a run after the calls under way. It may be called from any thread, and is the one function that a callback may
 * call.
 *
 * # Safety
 * `engine` is valid; `error` is NULL or may be written.
 */
ROLLKEEPER_API
rollkeeper_status rollkeeper_engine_cancel_run(const struct rollkeeper_engine *engine,
                                               struct rollkeeper_error **error);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* ROLLKEEPER_H */
