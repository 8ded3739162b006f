-- What people are told of. `document` holds all of it; the columns are what it is looked for by. Of each group at most one
-- alert is not over: `open_key` names the group until then.
CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    open_key TEXT UNIQUE,
    route TEXT NOT NULL,
    state TEXT NOT NULL,
    severity BIGINT NOT NULL,
    organization TEXT NOT NULL,
    rule TEXT NOT NULL,
    raised_at BIGINT NOT NULL,
    touched_at BIGINT NOT NULL,
    due_at BIGINT,
    version BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX alerts_due ON alerts (due_at);
CREATE INDEX alerts_state ON alerts (state, touched_at);
-- What became of each, in order.
CREATE TABLE alert_history (
    id TEXT PRIMARY KEY,
    alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    what TEXT NOT NULL,
    who TEXT NOT NULL,
    note TEXT NOT NULL
);
CREATE INDEX alert_history_alert ON alert_history (alert, id);
CREATE TABLE alert_silences (
    id TEXT PRIMARY KEY,
    until_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
-- Notifications that have not gone yet; `dead` ones are kept for a person. Whoever sends one has claimed it.
CREATE TABLE alert_notifications (
    id TEXT PRIMARY KEY,
    alert TEXT NOT NULL,
    channel TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    claimed_until BIGINT NOT NULL,
    reason TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX alert_notifications_due ON alert_notifications (state, channel, due_at);
CREATE INDEX alert_notifications_alert ON alert_notifications (alert, channel, id);
-- How many notifications each route may still send.
CREATE TABLE alert_allowances (
    route TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    document TEXT NOT NULL
);
