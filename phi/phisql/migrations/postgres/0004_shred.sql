CREATE TABLE phi_destroyed (
	namespace TEXT NOT NULL,
	tenant TEXT NOT NULL,
	patient TEXT NOT NULL,
	PRIMARY KEY (namespace, tenant, patient)
);
