-- Incidents. Bodies are sealed; a key is an HMAC under a key that is sealed in the case.
CREATE TABLE incident_number (
	tenant TEXT NOT NULL PRIMARY KEY,
	last BIGINT NOT NULL
);
CREATE TABLE incident_case (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	number BIGINT NOT NULL,
	version BIGINT NOT NULL,
	active BIGINT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX incident_case_number ON incident_case (tenant, number);
CREATE INDEX incident_case_active ON incident_case (tenant, active, number);
CREATE TABLE incident_line (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	seq BIGINT NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, id, seq)
);
CREATE TABLE incident_person (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	person BLOB NOT NULL,
	body BLOB NOT NULL,
	PRIMARY KEY (tenant, id, person)
);
