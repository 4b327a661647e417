-- One random seed, by which stores outside the database place people's keys.
CREATE TABLE session_seed (
	id SMALLINT NOT NULL PRIMARY KEY,
	seed BYTEA NOT NULL,
	CHECK (id = 1 AND octet_length(seed) = 32)
);
