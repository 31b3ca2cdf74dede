-- The state of one host. user_version is the schema's version, application_id says whose file it is.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

-- What was seen: (rule, scope) has its own history; scope is the host that the log names, "" for this one, and the container.
CREATE TABLE terms (
  rule TEXT NOT NULL,
  scope TEXT NOT NULL,
  field TEXT NOT NULL,
  value TEXT NOT NULL, -- JSON array of strings
  first_seen_ms INTEGER NOT NULL,
  last_seen_ms INTEGER NOT NULL, -- of a rule that remembers for ever it may be older
  learned INTEGER NOT NULL, -- 1: taken for granted while learning, never alerted
  PRIMARY KEY (rule, scope, field, value)
) STRICT, WITHOUT ROWID;

-- How many alerts a rule has raised in its latest interval, and which were held back above its limit, to be summarised.
CREATE TABLE signals (
  rule TEXT PRIMARY KEY,
  from_ms INTEGER NOT NULL, -- by the events' time
  until_ms INTEGER NOT NULL,
  raised INTEGER NOT NULL,
  held INTEGER NOT NULL,
  sample TEXT NOT NULL -- JSON: the first ids that were held back
) STRICT, WITHOUT ROWID;

-- How often an exception took out what a rule matched. A row outlives its exception: people make these by hand, they are few.
CREATE TABLE exceptions (
  id TEXT PRIMARY KEY,
  hits INTEGER NOT NULL,
  last_hit_ms INTEGER NOT NULL -- by the events' time
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
  id TEXT PRIMARY KEY, -- begins with the time
  changed INTEGER NOT NULL UNIQUE, -- rises with each change of an alert: who follows knows how far it got
  complete INTEGER NOT NULL, -- 0: its outcome is awaited
  document TEXT NOT NULL -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX alerts_awaiting ON alerts (id) WHERE complete = 0;

-- What an output has not taken yet. A row goes when it has.
CREATE TABLE outbox (
  sequence INTEGER PRIMARY KEY,
  output TEXT NOT NULL,
  stage TEXT NOT NULL CHECK (stage IN ('raised', 'completed')),
  alert TEXT NOT NULL REFERENCES alerts (id) ON DELETE CASCADE,
  UNIQUE (alert, output, stage)
) STRICT;

-- Documents that Elasticsearch has not taken yet. A row goes when it has. Numbers are never given again (AUTOINCREMENT): one that
-- is on its way may be let go of, and its number must not mean another when the answer comes.
CREATE TABLE shipments (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL, -- of the document there
  stream TEXT NOT NULL, -- the data stream
  rank INTEGER NOT NULL, -- 0 alerts, 1 health, 2 events: they go in this order, and are let go of in the other
  state TEXT NOT NULL CHECK (state IN ('open', 'waiting', 'refused')), -- open: its outcome is awaited
  bytes INTEGER NOT NULL, -- of this row, about
  document BLOB NOT NULL, -- JSON, compressed: shipment-document.ts
  reason TEXT, -- refused: what the server said
  UNIQUE (id, stream)
) STRICT;
CREATE INDEX shipments_next ON shipments (state, rank, sequence);
CREATE INDEX shipments_oldest ON shipments (rank, sequence);

-- What the rows above sum up to: counting them would read them all.
CREATE TABLE shipment_totals (
  rank INTEGER NOT NULL,
  state TEXT NOT NULL,
  documents INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (rank, state)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER shipment_added AFTER INSERT ON shipments BEGIN
  INSERT INTO shipment_totals VALUES (new.rank, new.state, 1, new.bytes)
  ON CONFLICT DO UPDATE SET documents = documents + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER shipment_gone AFTER DELETE ON shipments BEGIN
  UPDATE shipment_totals SET documents = documents - 1, bytes = bytes - old.bytes WHERE rank = old.rank AND state = old.state;
END;
CREATE TRIGGER shipment_changed AFTER UPDATE OF state, bytes ON shipments BEGIN
  UPDATE shipment_totals SET documents = documents - 1, bytes = bytes - old.bytes WHERE rank = old.rank AND state = old.state;
  INSERT INTO shipment_totals VALUES (new.rank, new.state, 1, new.bytes)
  ON CONFLICT DO UPDATE SET documents = documents + 1, bytes = bytes + excluded.bytes;
END;
