-- Schema, version 5: secrets that a person put into the file, and the tokens that targets are shown.

-- Sealed under the host's key, bound to the app and the name. An app may be put after its secrets.
CREATE TABLE secret (
    app_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value {blob} NOT NULL,
    set_at {int} NOT NULL,
    author TEXT,
    PRIMARY KEY (app_id, name)
) {strict};

-- What is known of an app's tokens.
CREATE TABLE token (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    -- The access token, the refresh token and what they are for: sealed under the host's key, bound to the app.
    value {blob},
    -- How often a token was had: an answer is about one of them.
    serial {int} NOT NULL,
    issued_at {int},
    expires_at {int},
    -- When the refresh token ends, where that was told.
    refresh_expires_at {int},
    -- Why none can be had: the code of a failure that only a person mends.
    failure TEXT,
    -- Who is asking for one, since when and until when on a clock that nobody can set. All or none.
    holder TEXT,
    asked_at {int},
    guard_boot {int},
    guard_moment {int},
    guard_wait {int},
    -- Of which end it was told ahead that it comes.
    told_of {int},
    CHECK ((holder IS NULL) = (asked_at IS NULL) AND (holder IS NULL) = (guard_boot IS NULL)
        AND (holder IS NULL) = (guard_moment IS NULL) AND (holder IS NULL) = (guard_wait IS NULL))
) {strict};
