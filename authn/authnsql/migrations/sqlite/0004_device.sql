-- Browsers in which somebody has signed in wholly. A release that does not know them writes none,
-- and takes their cookies for strangers'.
CREATE TABLE authn_device (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person TEXT NOT NULL,
	hash BLOB NOT NULL,
	label TEXT NOT NULL,
	created BIGINT NOT NULL,
	seen BIGINT NOT NULL,
	password BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;

CREATE UNIQUE INDEX authn_device_hash ON authn_device (tenant, hash);
CREATE INDEX authn_device_person ON authn_device (tenant, person);
CREATE INDEX authn_device_seen ON authn_device (seen);
