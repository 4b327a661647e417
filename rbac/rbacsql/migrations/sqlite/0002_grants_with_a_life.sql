-- Where a grant comes from, and what it reaches beside practices: a JSON object of lists, so
-- that another dimension needs no other column. The defaults are what the release before
-- means with its rows.
ALTER TABLE rbac_grant ADD COLUMN source TEXT NOT NULL DEFAULT 'direct';
ALTER TABLE rbac_grant ADD COLUMN reach TEXT NOT NULL DEFAULT '{}';
-- Who holds a role: seats, single roles, the last administrator.
CREATE INDEX rbac_grant_role ON rbac_grant (tenant, role, ended);
-- The words that somebody typed as the reason stay in the event that was recorded for the
-- grant, as a private value; the row keeps a code.
UPDATE rbac_grant SET why = 'recorded' WHERE why <> '' AND (why GLOB '*[^a-z0-9_]*' OR why NOT GLOB '[a-z]*' OR length(why) > 128);
