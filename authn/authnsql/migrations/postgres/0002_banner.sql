-- The version of the banner that somebody acknowledged last, empty if none. A release that does
-- not know it goes on as before.
ALTER TABLE authn_person ADD COLUMN banner TEXT NOT NULL DEFAULT '';
