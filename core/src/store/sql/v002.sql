-- Schema, version 2: what targets said about themselves, what unique values are taken, whom users refer to, what targets do not
-- keep.

-- What an app's target said about itself when it was last asked.
CREATE TABLE target_schema (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    target TEXT NOT NULL,
    description TEXT NOT NULL,
    discovered_at {int} NOT NULL
) {strict};

-- A value that one user of an app holds or is about to have. A refused one was taken at the target already.
CREATE TABLE reservation (
    app_id TEXT NOT NULL REFERENCES app (id),
    attribute TEXT NOT NULL,
    hash TEXT NOT NULL,
    user_id TEXT NOT NULL,
    request_id TEXT REFERENCES request (id),
    iteration {int} NOT NULL CHECK (iteration >= 0),
    refused {int} NOT NULL CHECK (refused IN (0, 1)),
    reserved_at {int} NOT NULL,
    PRIMARY KEY (app_id, attribute, hash),
    CHECK (refused = 0 OR request_id IS NOT NULL)
) {strict};

CREATE INDEX reservation_user ON reservation (app_id, user_id);
CREATE INDEX reservation_request ON reservation (request_id) WHERE request_id IS NOT NULL;

CREATE TABLE reference (
    app_id TEXT NOT NULL REFERENCES app (id),
    user_id TEXT NOT NULL,
    referenced_id TEXT NOT NULL,
    external_id TEXT,
    PRIMARY KEY (app_id, user_id, referenced_id)
) {strict};

CREATE INDEX reference_referenced ON reference (app_id, referenced_id, user_id);

CREATE TABLE not_kept (
    app_id TEXT NOT NULL REFERENCES app (id),
    attribute TEXT NOT NULL,
    rule TEXT NOT NULL,
    noticed_at {int} NOT NULL,
    kept_at {int},
    PRIMARY KEY (app_id, attribute)
) {strict};
