-- What a person has beside the authenticator app, counted in the one row whose version orders
-- every change: how many passkeys, the user handle of all of them, and since when a number for
-- text messages. Empty and 0 where there is none, so a release that does not know them goes on.
ALTER TABLE mfa_credential ADD COLUMN passkeys BIGINT NOT NULL DEFAULT 0;
ALTER TABLE mfa_credential ADD COLUMN handle BYTEA NOT NULL DEFAULT '';
ALTER TABLE mfa_credential ADD COLUMN texted BIGINT NOT NULL DEFAULT 0;
-- People's passkeys (WebAuthn credentials). hash is the SHA-256 of the credential ID; public key,
-- label and the rest are sealed.
CREATE TABLE mfa_passkey (
	tenant TEXT NOT NULL,
	id TEXT COLLATE "C" NOT NULL,
	person TEXT NOT NULL,
	version BIGINT NOT NULL,
	hash BYTEA NOT NULL,
	handle BYTEA NOT NULL,
	sealed BYTEA NOT NULL,
	counter BIGINT NOT NULL,
	backed_up BIGINT NOT NULL,
	created BIGINT NOT NULL,
	used BIGINT NOT NULL,
	disabled BIGINT NOT NULL,
	PRIMARY KEY (tenant, id)
);
CREATE UNIQUE INDEX mfa_passkey_hash ON mfa_passkey (tenant, hash);
CREATE INDEX mfa_passkey_person ON mfa_passkey (tenant, person);
