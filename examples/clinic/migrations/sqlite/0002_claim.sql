CREATE TABLE clinic_claim (
	tenant TEXT NOT NULL,
	id TEXT NOT NULL,
	patient TEXT NOT NULL,
	version INTEGER NOT NULL,
	created INTEGER NOT NULL,
	state TEXT NOT NULL,
	served BLOB,
	payer BLOB,
	amount BLOB,
	PRIMARY KEY (tenant, id)
) WITHOUT ROWID;
CREATE INDEX clinic_claim_patient ON clinic_claim (tenant, patient, id);
