CREATE TABLE phi_shred (
	no INTEGER PRIMARY KEY AUTOINCREMENT,
	namespace TEXT NOT NULL,
	tenant TEXT NOT NULL,
	patient TEXT NOT NULL,
	at INTEGER NOT NULL,
	UNIQUE (namespace, tenant, patient)
);
