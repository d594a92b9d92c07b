-- Schema, version 10: whose access the brake holds, and what new definitions took away of accounts.

-- A new definition would take the account, or its use, from the user, and no second person has agreed to that.
CREATE TABLE held_access (
    app_id TEXT NOT NULL REFERENCES app (id),
    user_id TEXT NOT NULL,
    -- The plan by which it is held.
    plan_id TEXT NOT NULL REFERENCES reconciliation (id),
    PRIMARY KEY (app_id, user_id)
) {strict};

-- Of accounts: whether they were deleted, and not disabled.
ALTER TABLE silent_loss ADD COLUMN deleted {int} NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1));
