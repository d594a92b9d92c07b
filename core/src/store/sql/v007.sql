-- Schema, version 7: how targets turned out to take what they are sent.

-- What was learnt of an app's target, as an object; of another target it says nothing.
CREATE TABLE lesson (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    target TEXT NOT NULL,
    learnt TEXT NOT NULL,
    learnt_at {int} NOT NULL
) {strict};
