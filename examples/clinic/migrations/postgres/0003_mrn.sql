ALTER TABLE clinic_patient ADD COLUMN mrn BYTEA;
