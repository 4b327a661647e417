-- What a tenant has chosen among the permissions that the policy leaves to it: a JSON list of
-- role, action and on, as one value with one version.
CREATE TABLE rbac_toggles (
	tenant  TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	choices TEXT NOT NULL
);
