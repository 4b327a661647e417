CREATE INDEX phi_key_root ON phi_key (namespace, root, kid);
CREATE TABLE phi_rotation (
	id TEXT NOT NULL PRIMARY KEY,
	namespace TEXT NOT NULL,
	tenant TEXT NOT NULL,
	kind TEXT NOT NULL,
	name TEXT NOT NULL,
	lane TEXT NOT NULL,
	target BIGINT NOT NULL,
	place TEXT NOT NULL,
	done BIGINT NOT NULL,
	failed BIGINT NOT NULL,
	total BIGINT NOT NULL,
	started BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	finished BIGINT NOT NULL,
	version BIGINT NOT NULL
);
CREATE UNIQUE INDEX phi_rotation_open ON phi_rotation (namespace, tenant, lane) WHERE finished = 0;
CREATE INDEX phi_rotation_tenant ON phi_rotation (namespace, tenant, id);
