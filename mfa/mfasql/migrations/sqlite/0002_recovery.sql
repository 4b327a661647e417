-- The unused recovery codes' hashes, sealed, and the key that shall replace the present one.
-- Empty and 0 where there is none, so a release that does not know them goes on as before.
ALTER TABLE mfa_credential ADD COLUMN recovery BLOB NOT NULL DEFAULT x'';
ALTER TABLE mfa_credential ADD COLUMN next_secret BLOB NOT NULL DEFAULT x'';
ALTER TABLE mfa_credential ADD COLUMN next_made BIGINT NOT NULL DEFAULT 0;
