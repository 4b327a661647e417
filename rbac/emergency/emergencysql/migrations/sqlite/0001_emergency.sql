-- Emergency access. Identifiers, codes and times; words are in the audit log alone. live_until is until
-- while the grant is open, and opened once it ended: the relation asks opened <= now < live_until.
CREATE TABLE emergency_grant (
	id TEXT NOT NULL PRIMARY KEY,
	tenant TEXT NOT NULL,
	person TEXT NOT NULL,
	number BIGINT NOT NULL,
	patient TEXT NOT NULL,
	reason TEXT NOT NULL,
	again TEXT NOT NULL,
	opened BIGINT NOT NULL,
	until_at BIGINT NOT NULL,
	live_until BIGINT NOT NULL,
	due BIGINT NOT NULL,
	ended BIGINT NOT NULL,
	ended_by TEXT NOT NULL,
	verdict TEXT NOT NULL,
	reviewer TEXT NOT NULL,
	reviewed BIGINT NOT NULL,
	told BIGINT NOT NULL,
	limited BIGINT NOT NULL,
	limited_told BIGINT NOT NULL,
	reminders BIGINT NOT NULL,
	reminded BIGINT NOT NULL,
	pending BIGINT NOT NULL,
	version BIGINT NOT NULL,
	CHECK (opened > 0 AND live_until BETWEEN opened AND opened + 14400000000) -- four hours in microseconds; 0 would be for ever
);
CREATE UNIQUE INDEX emergency_grant_number ON emergency_grant (tenant, person, number);
CREATE INDEX emergency_grant_pair ON emergency_grant (tenant, person, patient);
CREATE INDEX emergency_grant_tenant ON emergency_grant (tenant, id);
CREATE INDEX emergency_grant_pending ON emergency_grant (pending, id);
