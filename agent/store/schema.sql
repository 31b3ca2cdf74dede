-- The state of one host. user_version is the schema's version.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What was seen: (rule, scope) has its own history; scope is the host that the log names, "" for this one.
CREATE TABLE terms (
  rule TEXT NOT NULL,
  scope TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON array of strings
  first_seen_ms INTEGER NOT NULL,
  learned INTEGER NOT NULL, -- 1: taken for granted while learning, never alerted
  PRIMARY KEY (rule, scope, field, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  id TEXT PRIMARY KEY, -- begins with the time
  document TEXT NOT NULL, -- JSON
  complete INTEGER NOT NULL -- 0: its outcome is awaited
) STRICT, WITHOUT ROWID;

-- What an output has not taken yet. A row goes when it has.
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY,
  output TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('raised', 'completed')),
  alert TEXT NOT NULL REFERENCES alerts (id),
  UNIQUE (output, stage, alert)
) STRICT;
