-- How often a key may be used, as configurations write rates (`100/min burst 20`); empty: as often as its route allows.
ALTER TABLE api_keys ADD COLUMN rate TEXT NOT NULL DEFAULT '';
