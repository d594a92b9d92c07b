-- Schema, version 4: what keeps calls back, in the file, so that every process on it keeps to the same; who is held by whom.

-- How often a request was claimed: an answer is believed only from who claimed it last.
ALTER TABLE request ADD COLUMN fence {int} NOT NULL DEFAULT 0;

-- What is waited for, on a clock that nobody can set: the boot, the moment in it, and the whole wait, which begins anew after
-- another boot. All three or none.
ALTER TABLE request ADD COLUMN guard_boot {int};
ALTER TABLE request ADD COLUMN guard_moment {int};
ALTER TABLE request ADD COLUMN guard_wait {int};

-- What takes access away goes out beside a call of its lane that is on its way: there may be one head, and one open attempt,
-- of either kind.
DROP INDEX request_head;
CREATE UNIQUE INDEX request_head ON request (app_id, user_id, urgent) WHERE head = 1 AND finished_at IS NULL;
ALTER TABLE attempt ADD COLUMN urgent {int} NOT NULL DEFAULT 0 CHECK (urgent IN (0, 1));
DROP INDEX attempt_open;
CREATE UNIQUE INDEX attempt_open ON attempt (app_id, user_id, urgent) WHERE ended_at IS NULL;

-- It takes access from who was disabled or left, by the source's own word.
ALTER TABLE request ADD COLUMN leaver {int} NOT NULL DEFAULT 0 CHECK (leaver IN (0, 1));

-- What ended and may still take effect for a while.
CREATE INDEX request_doubt ON request (app_id, user_id, settle_at) WHERE settle_at IS NOT NULL AND finished_at IS NOT NULL;

-- What is known about an app's target, kept by every process on the file.
CREATE TABLE gate (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    -- The token bucket: how many calls may start at once, in thousandths, and when that was so.
    tokens {int} NOT NULL,
    filled_at {int} NOT NULL,
    -- What the target asked for: nothing before that; and the share of the rate that is used since, in thousandths.
    patience_until {int},
    share {int} NOT NULL CHECK (share >= 1 AND share <= 1000),
    share_at {int} NOT NULL,
    -- The breaker: failures in a row, calls and failures since a first one, how often it opened without success between.
    failures {int} NOT NULL,
    window_at {int},
    window_calls {int} NOT NULL,
    window_failures {int} NOT NULL,
    openings {int} NOT NULL,
    opened_at {int},
    paused_until {int},
    reason TEXT,
    -- When it was open for a day, and when that was told last.
    quarantined_at {int},
    told_at {int},
    -- Since when, by whom and why nothing is sent.
    maintenance_at {int},
    maintenance_by TEXT,
    CHECK ((opened_at IS NULL) = (paused_until IS NULL) AND (opened_at IS NULL) = (reason IS NULL)),
    CHECK ((maintenance_at IS NULL) = (maintenance_by IS NULL))
) {strict};

-- What a person holds: an app, a user, both, or one request. Nothing of it is sent until it is resumed.
CREATE TABLE hold (
    scope TEXT NOT NULL PRIMARY KEY,
    app_id TEXT,
    user_id TEXT,
    request_id TEXT,
    author TEXT NOT NULL,
    reason TEXT NOT NULL,
    held_at {int} NOT NULL,
    CHECK (request_id IS NULL OR (app_id IS NULL AND user_id IS NULL)),
    CHECK (request_id IS NOT NULL OR app_id IS NOT NULL OR user_id IS NOT NULL)
) {strict};

CREATE INDEX hold_user ON hold (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX hold_app ON hold (app_id) WHERE app_id IS NOT NULL;
