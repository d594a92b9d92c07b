-- Schema, version 2.

-- What an app's target said about itself when it was last asked.
CREATE TABLE target_schema (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    target TEXT NOT NULL,
    description TEXT NOT NULL,
    discovered_at {int} NOT NULL
) {strict};
