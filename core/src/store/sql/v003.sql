-- Schema, version 3: reconciliations, what they collected, their plans; what a request is to send; before-values; who was
-- absent from a whole list of users; what is known about accounts that nobody owns.

-- A Reconcile request's own data; also plans that no request stands for (a list of users, an undo).
CREATE TABLE reconciliation (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind = 'target' OR kind = 'source' OR kind = 'undo'),
    app_id TEXT REFERENCES app (id),
    -- As in `request`; there the state of a target's reconciliation stands.
    state TEXT NOT NULL,
    approval TEXT NOT NULL,
    author TEXT,
    committed_by TEXT,
    created_at {int} NOT NULL,
    finished_at {int},
    -- Seals what was collected and the items that no user owns; wrapped as users' keys are. Gone once it is finished.
    key {blob},
    -- How often the work on it was taken up: whoever took it up before writes no more.
    takes {int} NOT NULL,
    -- When somebody was at it last; none where nobody can be.
    worked_at {int},
    -- The last log entry before its first page was read: nothing is concluded of whom later entries are about.
    began {int} NOT NULL,
    -- Whether the listing is of changes alone, or filtered: nothing is concluded from absence.
    partial {int} NOT NULL CHECK (partial IN (0, 1)),
    cursor TEXT,
    pages {int} NOT NULL,
    collected {int} NOT NULL,
    verdict TEXT,
    verdict_why TEXT NOT NULL,
    counts TEXT NOT NULL,
    digest TEXT,
    brake TEXT NOT NULL,
    notes TEXT NOT NULL,
    faults TEXT NOT NULL,
    -- The app's definition when the plan was made.
    definition TEXT,
    -- How many accounts the listing had, repeated ones once.
    accounts {int} NOT NULL,
    -- What the target gave for the next listing of changes; taken over on commit.
    token TEXT,
    released_by TEXT,
    released_at {int},
    used_at {int}
) {strict};

CREATE INDEX reconciliation_app ON reconciliation (app_id, id);
CREATE UNIQUE INDEX reconciliation_open ON reconciliation (app_id) WHERE finished_at IS NULL AND kind = 'target';

-- One page of what was collected, sealed under the reconciliation's key: lines of accounts.
CREATE TABLE staged_page (
    reconciliation_id TEXT NOT NULL REFERENCES reconciliation (id),
    number {int} NOT NULL CHECK (number >= 1),
    accounts {blob} NOT NULL,
    count {int} NOT NULL,
    PRIMARY KEY (reconciliation_id, number)
) {strict};

CREATE TABLE plan_item (
    reconciliation_id TEXT NOT NULL REFERENCES reconciliation (id),
    number {int} NOT NULL CHECK (number >= 1),
    situation TEXT NOT NULL,
    reaction TEXT NOT NULL,
    state TEXT NOT NULL,
    destructive {int} NOT NULL CHECK (destructive IN (0, 1)),
    explicit {int} NOT NULL CHECK (explicit IN (0, 1)),
    user_id TEXT,
    external_id TEXT,
    -- What the item was planned for: the user's record and the account as known then.
    planned_for TEXT NOT NULL,
    -- SHA-256 over everything the item says, before-values included.
    digest TEXT NOT NULL,
    -- Candidates, drift, changes, before-values: sealed under the user's key, or the reconciliation's where there is no user.
    details {blob},
    why TEXT NOT NULL,
    fault TEXT,
    author TEXT,
    request_id TEXT REFERENCES request (id),
    done_at {int},
    PRIMARY KEY (reconciliation_id, number)
) {strict};

CREATE INDEX plan_item_open ON plan_item (reconciliation_id, state, number);
CREATE INDEX plan_item_user ON plan_item (user_id) WHERE user_id IS NOT NULL;
-- What was taken away lately, for the brake.
CREATE INDEX plan_item_taken ON plan_item (done_at) WHERE destructive = 1 AND done_at IS NOT NULL;

-- The destructive things that were inferred before: two observations are needed.
CREATE TABLE observation (
    app_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    situation TEXT NOT NULL,
    first_at {int} NOT NULL,
    last_at {int} NOT NULL,
    PRIMARY KEY (app_id, subject)
) {strict};

-- What is remembered of an app between two reconciliations.
CREATE TABLE reconciled (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    -- How many accounts the last accepted whole listing had.
    accepted {int},
    completed_at {int},
    full_at {int},
    token TEXT,
    next_at {int},
    -- Seals what is known of accounts that nobody owns.
    key {blob}
) {strict};

-- The last accepted whole list of users: one row.
CREATE TABLE source_snapshot (
    name TEXT NOT NULL PRIMARY KEY,
    accepted {int} NOT NULL,
    accepted_at {int} NOT NULL
) {strict};

-- When a user was absent from a whole list of users for the first time since it was last there.
ALTER TABLE directory_user ADD COLUMN unseen_at {int};

-- What a request sends instead of what its mapping gives: changes, sealed as payloads are.
ALTER TABLE request ADD COLUMN given {blob};
-- The values that a request overwrote, sealed as payloads are; what `undo` puts back.
ALTER TABLE request ADD COLUMN before {blob};
-- The lanes of accounts that nobody owns.
CREATE INDEX request_unowned ON request (app_id, external_id, id) WHERE user_id IS NULL AND finished_at IS NULL;

-- Whose plan a request carries out, and what an undo takes back: a reconciliation or a request.
ALTER TABLE request ADD COLUMN plan_id TEXT REFERENCES reconciliation (id);
CREATE INDEX request_plan ON request (plan_id, id) WHERE plan_id IS NOT NULL;
ALTER TABLE reconciliation ADD COLUMN undoes TEXT;
CREATE INDEX reconciliation_undoes ON reconciliation (undoes, id) WHERE undoes IS NOT NULL;
