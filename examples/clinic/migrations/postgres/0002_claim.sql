CREATE TABLE clinic_claim (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	patient TEXT NOT NULL,
	version BIGINT NOT NULL,
	created BIGINT NOT NULL,
	state TEXT NOT NULL,
	served BYTEA,
	payer BYTEA,
	amount BYTEA,
	PRIMARY KEY (tenant, id)
);
CREATE INDEX clinic_claim_patient ON clinic_claim (tenant, patient, id);
