-- Schema, version 9: memberships in plans, what the brake holds of them, and what was taken away without a plan.

-- The group of an item that is about a membership.
ALTER TABLE plan_item ADD COLUMN group_id TEXT;
-- What the brake counts: who was taken out of which group lately.
CREATE INDEX plan_item_left ON plan_item (done_at) WHERE reaction = 'remove' AND done_at IS NOT NULL;

-- The groups that were compared, with how many members each has.
ALTER TABLE reconciliation ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';

-- Whether we gave the membership. Of one that somebody else gave a row is here only while a plan takes it away or puts it back.
ALTER TABLE membership ADD COLUMN ours {int} NOT NULL DEFAULT 1 CHECK (ours IN (0, 1));
-- The plan by which the brake holds that it is taken away, though nobody asks for it any more.
ALTER TABLE membership ADD COLUMN held_by TEXT;
CREATE INDEX membership_group ON membership (app_id, group_id, external_id);
CREATE INDEX membership_held ON membership (app_id, external_id) WHERE held_by IS NOT NULL;

-- What lists of users and new definitions took away and no plan has: how many memberships of a group, or, without an app, how
-- many users lost an account and no record said that they left.
CREATE TABLE silent_loss (
    app_id TEXT NOT NULL,
    group_id TEXT NOT NULL,
    lost_at {int} NOT NULL,
    count {int} NOT NULL CHECK (count >= 1)
) {strict};

CREATE INDEX silent_loss_lately ON silent_loss (app_id, group_id, lost_at);
