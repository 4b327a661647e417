-- How much roles see where that is less than the policy's, as JSON: role, class and level.
ALTER TABLE clinic_choice ADD COLUMN masks TEXT NOT NULL DEFAULT '{}';
