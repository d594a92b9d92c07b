-- Schema, version 8: how what is known of targets was learnt.

-- The names of those lessons that a probe taught, as an object with `probe` for each; all others were learnt by use.
ALTER TABLE lesson ADD COLUMN origins TEXT NOT NULL DEFAULT '{}';
