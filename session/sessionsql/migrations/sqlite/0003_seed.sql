-- One random seed, by which stores outside the database place people's keys.
CREATE TABLE session_seed (
	id SMALLINT NOT NULL PRIMARY KEY,
	seed BLOB NOT NULL,
	CHECK (id = 1 AND length(seed) = 32)
);
