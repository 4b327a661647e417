-- How long audits are kept, legal holds, and purges. Times are microseconds since 1970 UTC, 0 for never.
CREATE TABLE purge_settings (
	tenant TEXT NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	months BIGINT NOT NULL,
	months_before BIGINT NOT NULL,
	counts_from BIGINT NOT NULL,
	changed BIGINT NOT NULL,
	changed_by TEXT NOT NULL
);
CREATE TABLE purge_hold (
	tenant TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	everything BIGINT NOT NULL,
	patient TEXT NOT NULL,
	actor TEXT NOT NULL,
	object_type TEXT NOT NULL,
	object_id TEXT NOT NULL,
	matter TEXT NOT NULL,
	placed BIGINT NOT NULL,
	placed_by TEXT NOT NULL,
	released BIGINT NOT NULL,
	released_by TEXT NOT NULL,
	ends BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
-- Spans are JSON, [[from, to], …]; export is the SHA-256 of the bundle's manifest. Open plans have is_open 1,
-- and a tenant has one of them at most.
CREATE TABLE purge_plan (
	tenant TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	version BIGINT NOT NULL,
	state TEXT NOT NULL,
	is_open BIGINT NOT NULL,
	spans TEXT NOT NULL,
	events BIGINT NOT NULL,
	oldest BIGINT NOT NULL,
	newest BIGINT NOT NULL,
	months BIGINT NOT NULL,
	export BYTEA NOT NULL,
	proposed BIGINT NOT NULL,
	proposed_by TEXT NOT NULL,
	expires BIGINT NOT NULL,
	event TEXT NOT NULL,
	approved BIGINT NOT NULL,
	approved_by TEXT NOT NULL,
	ended BIGINT NOT NULL,
	ended_by TEXT NOT NULL,
	kept BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX purge_plan_open ON purge_plan (tenant) WHERE is_open = 1;
