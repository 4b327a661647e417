-- Accesses of the platform's operators to tenants. Bodies are sealed. Of one operator in one tenant one
-- row is open at most; IDs are compared by bytes.
CREATE TABLE support_access (
	tenant TEXT COLLATE "C" NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	platform TEXT NOT NULL,
	operator TEXT NOT NULL,
	opened BIGINT NOT NULL,
	active BIGINT NOT NULL,
	body BYTEA NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX support_access_open ON support_access (tenant, platform, operator) WHERE opened = 1;
CREATE INDEX support_access_operator ON support_access (platform, operator, id);
CREATE INDEX support_access_active ON support_access (id, tenant) WHERE active = 1;
