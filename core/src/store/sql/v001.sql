-- Schema, version 1. `{int}`, `{blob}` and `{strict}` are put in per database (store/dialect.rs): BIGINT microseconds for
-- times, 0 and 1 for truth, TEXT for ids and JSON. core/docs/schema.md tells what each column is for. Words are compared
-- one by one, since SQLite builds a table of the words after an IN anew at every write.

CREATE TABLE meta (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) {strict};

CREATE TABLE app (
    id TEXT NOT NULL PRIMARY KEY,
    definition TEXT NOT NULL,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    deleted_at {int}
) {strict};

-- The key under which everything about a user is sealed. Erasing a user is deleting this row.
CREATE TABLE user_key (
    user_id TEXT NOT NULL PRIMARY KEY,
    key {blob} NOT NULL
) {strict};

CREATE TABLE directory_user (
    id TEXT NOT NULL PRIMARY KEY,
    record {blob} NOT NULL,
    dropped TEXT NOT NULL,
    change_at {int},
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    deleted_at {int}
) {strict};

CREATE INDEX directory_user_change ON directory_user (change_at, id) WHERE change_at IS NOT NULL;

CREATE TABLE account (
    app_id TEXT NOT NULL REFERENCES app (id),
    external_id TEXT NOT NULL,
    user_id TEXT,
    status TEXT NOT NULL CHECK (status = 'Active' OR status = 'Deactivated' OR status = 'Deleted'),
    frozen {int} NOT NULL CHECK (frozen IN (0, 1)),
    link_state TEXT NOT NULL CHECK (link_state = 'Linked' OR link_state = 'Duplicate' OR link_state = 'Orphaned'
        OR link_state = 'Ignored'),
    known_link {int} NOT NULL CHECK (known_link IN (0, 1)),
    attributes {blob},
    applied {blob},
    fingerprint TEXT,
    version TEXT,
    created_at {int} NOT NULL,
    updated_at {int} NOT NULL,
    deleted_at {int},
    PRIMARY KEY (app_id, external_id),
    CHECK ((status = 'Deleted') = (deleted_at IS NOT NULL))
) {strict};

-- A user has at most one living account in an app.
CREATE UNIQUE INDEX account_owner ON account (app_id, user_id)
    WHERE user_id IS NOT NULL AND link_state = 'Linked' AND status <> 'Deleted';
CREATE INDEX account_user ON account (user_id, app_id) WHERE user_id IS NOT NULL;

CREATE TABLE request (
    id TEXT NOT NULL PRIMARY KEY,
    app_id TEXT NOT NULL REFERENCES app (id),
    user_id TEXT,
    operation TEXT NOT NULL CHECK (operation = 'Create' OR operation = 'Read' OR operation = 'Update'
        OR operation = 'Deactivate' OR operation = 'Activate' OR operation = 'Freeze' OR operation = 'Unfreeze'
        OR operation = 'Reconcile' OR operation = 'Linking' OR operation = 'Delete'),
    state TEXT NOT NULL CHECK (state = 'New' OR state = 'Requested' OR state = 'Collecting' OR state = 'Collected'
        OR state = 'Analyzing' OR state = 'Analyzed' OR state = 'Committing' OR state = 'Completed'
        OR state = 'Failed' OR state = 'Retried' OR state = 'ManuallyCompleted' OR state = 'Cancelled'),
    approval TEXT NOT NULL CHECK (approval = 'NotRequired' OR approval = 'Required' OR approval = 'Approved'
        OR approval = 'Denied' OR approval = 'Expired'),
    urgent {int} NOT NULL CHECK (urgent IN (0, 1)),
    head {int} NOT NULL CHECK (head IN (0, 1)),
    by_hand {int} NOT NULL CHECK (by_hand IN (0, 1)),
    sending {int} NOT NULL CHECK (sending IN (0, 1)),
    unsettled {int} NOT NULL CHECK (unsettled IN (0, 1)),
    verifying {int} NOT NULL CHECK (verifying IN (0, 1)),
    waiting_for TEXT,
    why TEXT NOT NULL,
    author TEXT,
    created_at {int} NOT NULL,
    not_before {int},
    expires_at {int},
    due_at {int},
    settle_at {int},
    finished_at {int},
    attempts {int} NOT NULL,
    retry_count {int} NOT NULL,
    parent_id TEXT REFERENCES request (id),
    external_id TEXT,
    verified {int},
    fingerprint TEXT,
    faults TEXT NOT NULL,
    asked TEXT,
    retry_at {int},
    retry_for TEXT,
    CHECK ((finished_at IS NOT NULL)
        = (state = 'Completed' OR state = 'Failed' OR state = 'Retried' OR state = 'ManuallyCompleted'
        OR state = 'Cancelled')),
    CHECK (finished_at IS NULL OR (head = 0 AND due_at IS NULL AND waiting_for IS NULL)),
    CHECK ((retry_at IS NULL) = (retry_for IS NULL))
) {strict};

-- What is due, what is open in a lane: finished rows are in neither.
CREATE INDEX request_due ON request (app_id, urgent, due_at, id)
    WHERE head = 1 AND finished_at IS NULL AND due_at IS NOT NULL;
CREATE UNIQUE INDEX request_head ON request (app_id, user_id)
    WHERE head = 1 AND finished_at IS NULL;
CREATE INDEX request_lane ON request (app_id, user_id, id) WHERE finished_at IS NULL;
CREATE INDEX request_user ON request (user_id, app_id, operation, id);
CREATE INDEX request_app ON request (app_id, id);

CREATE TABLE attempt (
    request_id TEXT NOT NULL REFERENCES request (id),
    number {int} NOT NULL CHECK (number >= 1),
    app_id TEXT NOT NULL,
    user_id TEXT,
    started_at {int} NOT NULL,
    send_by {int} NOT NULL,
    ended_at {int},
    outcome TEXT CHECK (outcome = 'applied' OR outcome = 'not_applied' OR outcome = 'rejected'
        OR outcome = 'ambiguous' OR outcome = 'conflict'),
    code TEXT,
    message TEXT,
    payload {blob},
    PRIMARY KEY (request_id, number),
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) {strict};

-- One open attempt per lane.
CREATE UNIQUE INDEX attempt_open ON attempt (app_id, user_id) WHERE ended_at IS NULL;

CREATE TABLE log (
    sequence {int} NOT NULL PRIMARY KEY,
    at {int} NOT NULL,
    kind TEXT NOT NULL,
    app_id TEXT,
    user_id TEXT,
    request_id TEXT,
    author TEXT,
    details TEXT NOT NULL,
    hash TEXT NOT NULL
) {strict};

CREATE INDEX log_request ON log (request_id, sequence) WHERE request_id IS NOT NULL;
CREATE INDEX log_user ON log (user_id, sequence) WHERE user_id IS NOT NULL;
