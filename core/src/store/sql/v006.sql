-- Schema, version 6: the groups of targets, and the ledger of the memberships that we gave there.

-- A group as its target told it last.
CREATE TABLE target_group (
    app_id TEXT NOT NULL REFERENCES app (id),
    group_id TEXT NOT NULL,
    display_name TEXT,
    -- The name in lower case, by which it is found.
    folded_name TEXT,
    external_id TEXT,
    listed_at {int} NOT NULL,
    PRIMARY KEY (app_id, group_id)
) {strict};

CREATE INDEX target_group_name ON target_group (app_id, folded_name) WHERE folded_name IS NOT NULL;

-- When an app's target was last asked for all of its groups.
CREATE TABLE group_listing (
    app_id TEXT NOT NULL PRIMARY KEY REFERENCES app (id),
    listed_at {int} NOT NULL
) {strict};

-- A membership that we gave, or that a request is about to give or take away.
CREATE TABLE membership (
    app_id TEXT NOT NULL REFERENCES app (id),
    group_id TEXT NOT NULL,
    external_id TEXT NOT NULL,
    -- How the app's entitlement names the group.
    reference TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state = 'Adding' OR state = 'Held' OR state = 'Removing' OR state = 'Refused'),
    -- The request that did it, or whose turn it is.
    request_id TEXT REFERENCES request (id),
    -- The request still has to do it.
    queued {int} NOT NULL CHECK (queued IN (0, 1)),
    -- A call about it is out: nobody else changes the group meanwhile.
    calling {int} NOT NULL CHECK (calling IN (0, 1)),
    -- A call about it may have reached the target.
    tried {int} NOT NULL CHECK (tried IN (0, 1)),
    -- With how many others at the most it is sent: halved where they were refused together.
    part {int} NOT NULL CHECK (part >= 1),
    -- Why the target refused it.
    faults TEXT NOT NULL,
    since {int} NOT NULL,
    PRIMARY KEY (app_id, external_id, group_id),
    CHECK (queued = 1 OR calling = 0)
) {strict};

CREATE INDEX membership_queue ON membership (app_id, state, group_id, part, external_id) WHERE queued = 1;
CREATE INDEX membership_calling ON membership (app_id, group_id) WHERE calling = 1;
CREATE INDEX membership_request ON membership (request_id) WHERE request_id IS NOT NULL;
