-- When somebody has read mail that went to the address; before, it is what an administrator has typed.
ALTER TABLE users ADD COLUMN email_verified_at BIGINT;
