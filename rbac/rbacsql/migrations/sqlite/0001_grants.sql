-- One row per grant of a role; ending a grant keeps its row. Times are microseconds since
-- 1970 UTC, 0 where there is none; practices is a JSON list.
CREATE TABLE rbac_grant (
	id TEXT NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	role TEXT NOT NULL,
	practices TEXT NOT NULL,
	from_at BIGINT NOT NULL,
	until_at BIGINT NOT NULL,
	granted_by TEXT NOT NULL,
	why TEXT NOT NULL,
	created BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	ended_by TEXT NOT NULL
);
CREATE INDEX rbac_grant_person ON rbac_grant (tenant, person, ended);
CREATE INDEX rbac_grant_tenant ON rbac_grant (tenant, id);
-- How often a tenant's grants were changed: the condition of every change.
CREATE TABLE rbac_version (
	tenant TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL
);
