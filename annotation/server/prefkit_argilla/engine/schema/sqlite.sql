-- What the search engine keeps beside Argilla's tables, on SQLite.
--
-- Triggers read only NEW, OLD and our own tables, so that Argilla's migrations, which rebuild a table
-- by renaming a copy, never meet a trigger that names a table which is away for the moment.
-- JSON is checked before it is taken apart: a trigger that fails would refuse Argilla's own write.
-- A slot is one sortable, filterable value of a record: 8 * key + facet, where the facet is
-- 0 metadata, 1 suggested value, 2 score, 3 agent, 4 type, 5 response.

CREATE TABLE prefkit_schema (version INTEGER NOT NULL);

-- The version grows whenever text was indexed.
CREATE TABLE prefkit_datasets (
  dataset INTEGER PRIMARY KEY,
  dataset_id TEXT NOT NULL UNIQUE,
  version INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE prefkit_annotators (
  annotator INTEGER PRIMARY KEY,
  user_id TEXT NOT NULL UNIQUE
);

CREATE TABLE prefkit_docs (
  doc INTEGER PRIMARY KEY AUTOINCREMENT,
  dataset INTEGER NOT NULL,
  record_id TEXT NOT NULL UNIQUE,
  external_id TEXT,
  status TEXT NOT NULL,
  inserted_at TEXT,
  updated_at TEXT,
  words INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX prefkit_docs_by_status ON prefkit_docs (dataset, status);
CREATE INDEX prefkit_docs_by_inserted_at ON prefkit_docs (dataset, inserted_at);
CREATE INDEX prefkit_docs_by_updated_at ON prefkit_docs (dataset, updated_at);
CREATE INDEX prefkit_docs_by_external_id ON prefkit_docs (dataset, external_id);

CREATE TABLE prefkit_keys (
  "key" INTEGER PRIMARY KEY,
  dataset INTEGER NOT NULL,
  source TEXT NOT NULL,
  source_id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  type TEXT,
  filled INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX prefkit_keys_by_dataset ON prefkit_keys (dataset, source, name);

CREATE TABLE prefkit_terms (
  doc INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  annotator INTEGER NOT NULL DEFAULT 0,
  term TEXT NOT NULL,
  PRIMARY KEY (doc, slot, annotator, term)
) WITHOUT ROWID;
CREATE INDEX prefkit_terms_by_term ON prefkit_terms (slot, term);

CREATE TABLE prefkit_numbers (
  doc INTEGER NOT NULL,
  slot INTEGER NOT NULL,
  annotator INTEGER NOT NULL DEFAULT 0,
  number REAL NOT NULL,
  PRIMARY KEY (doc, slot, annotator, number)
) WITHOUT ROWID;
CREATE INDEX prefkit_numbers_by_number ON prefkit_numbers (slot, number);

CREATE TABLE prefkit_responses (
  annotator INTEGER NOT NULL,
  doc INTEGER NOT NULL,
  dataset INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (annotator, doc)
) WITHOUT ROWID;
CREATE INDEX prefkit_responses_by_doc ON prefkit_responses (doc);
CREATE INDEX prefkit_responses_by_status ON prefkit_responses (dataset, annotator, status);

-- Full text is made of tokens in Python: what waits for it, and what was made.
CREATE TABLE prefkit_dirty (doc INTEGER PRIMARY KEY, mark INTEGER NOT NULL);
CREATE TABLE prefkit_gone (doc INTEGER PRIMARY KEY, dataset INTEGER NOT NULL);
CREATE TABLE prefkit_columns (
  dataset INTEGER NOT NULL,
  position INTEGER NOT NULL,
  field TEXT NOT NULL,
  part TEXT NOT NULL,
  PRIMARY KEY (dataset, position)
);
CREATE TABLE prefkit_vocabulary (
  dataset INTEGER NOT NULL,
  exact INTEGER NOT NULL,
  length INTEGER NOT NULL,
  term TEXT NOT NULL,
  PRIMARY KEY (dataset, exact, length, term)
) WITHOUT ROWID;

CREATE TABLE prefkit_dirty_vectors (
  doc INTEGER NOT NULL,
  settings_id TEXT NOT NULL,
  mark INTEGER NOT NULL,
  PRIMARY KEY (doc, settings_id)
);
CREATE TABLE prefkit_vector_sets (
  settings_id TEXT PRIMARY KEY,
  change INTEGER NOT NULL DEFAULT 0,
  deletions INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE prefkit_vectors (
  settings_id TEXT NOT NULL,
  doc INTEGER NOT NULL,
  change INTEGER NOT NULL,
  value BLOB NOT NULL,
  PRIMARY KEY (settings_id, doc)
);
CREATE INDEX prefkit_vectors_by_change ON prefkit_vectors (settings_id, change);
CREATE INDEX prefkit_vectors_by_doc ON prefkit_vectors (doc);

-- Datasets, metadata properties and questions: the names of slots.

CREATE TRIGGER prefkit_datasets_delete AFTER DELETE ON datasets BEGIN
  DELETE FROM prefkit_columns
    WHERE dataset = (SELECT dataset FROM prefkit_datasets WHERE dataset_id = OLD.id);
  DELETE FROM prefkit_vocabulary
    WHERE dataset = (SELECT dataset FROM prefkit_datasets WHERE dataset_id = OLD.id);
END;

CREATE TRIGGER prefkit_metadata_properties_insert AFTER INSERT ON metadata_properties BEGIN
  INSERT OR IGNORE INTO prefkit_datasets (dataset_id) VALUES (NEW.dataset_id);
  INSERT INTO prefkit_keys (dataset, source, source_id, name, type, filled)
    SELECT dataset, 'metadata', NEW.id, NEW.name, json_extract(NEW.settings, '$.type'), 0
    FROM prefkit_datasets WHERE dataset_id = NEW.dataset_id;
END;

CREATE TRIGGER prefkit_metadata_properties_delete AFTER DELETE ON metadata_properties BEGIN
  DELETE FROM prefkit_terms
    WHERE slot = (SELECT 8 * "key" FROM prefkit_keys WHERE source_id = OLD.id);
  DELETE FROM prefkit_numbers
    WHERE slot = (SELECT 8 * "key" FROM prefkit_keys WHERE source_id = OLD.id);
  DELETE FROM prefkit_keys WHERE source_id = OLD.id;
END;

CREATE TRIGGER prefkit_questions_insert AFTER INSERT ON questions BEGIN
  INSERT OR IGNORE INTO prefkit_datasets (dataset_id) VALUES (NEW.dataset_id);
  INSERT INTO prefkit_keys (dataset, source, source_id, name, type)
    SELECT dataset, 'question', NEW.id, NEW.name, json_extract(NEW.settings, '$.type')
    FROM prefkit_datasets WHERE dataset_id = NEW.dataset_id;
END;

CREATE TRIGGER prefkit_questions_delete AFTER DELETE ON questions BEGIN
  DELETE FROM prefkit_terms WHERE slot IN (
    SELECT 8 * k."key" + facet.value
    FROM prefkit_keys AS k, json_each('[1, 3, 4, 5]') AS facet WHERE k.source_id = OLD.id);
  DELETE FROM prefkit_numbers WHERE slot IN (
    SELECT 8 * k."key" + facet.value
    FROM prefkit_keys AS k, json_each('[1, 2, 5]') AS facet WHERE k.source_id = OLD.id);
  DELETE FROM prefkit_keys WHERE source_id = OLD.id;
END;

-- Records.

CREATE TRIGGER prefkit_records_insert AFTER INSERT ON records BEGIN
  INSERT OR IGNORE INTO prefkit_datasets (dataset_id) VALUES (NEW.dataset_id);
  INSERT INTO prefkit_docs (dataset, record_id, external_id, status, inserted_at, updated_at)
    SELECT dataset, NEW.id, NEW.external_id, NEW.status, NEW.inserted_at, NEW.updated_at
    FROM prefkit_datasets WHERE dataset_id = NEW.dataset_id;
  INSERT INTO prefkit_dirty (doc, mark)
    SELECT doc, random() FROM prefkit_docs WHERE record_id = NEW.id;
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key", coalesce(CAST(v.atom AS TEXT), v.type)
    FROM prefkit_docs AS d
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'metadata' AND k.type = 'terms'
    JOIN json_each(iif(json_valid(NEW.metadata), NEW.metadata, '{}'), '$."' || k.name || '"') AS v
    WHERE d.record_id = NEW.id AND v.type NOT IN ('null', 'array', 'object');
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key", v.atom
    FROM prefkit_docs AS d
    JOIN prefkit_keys AS k
      ON k.dataset = d.dataset AND k.source = 'metadata' AND k.type IN ('integer', 'float')
    JOIN json_each(iif(json_valid(NEW.metadata), NEW.metadata, '{}'), '$."' || k.name || '"') AS v
    WHERE d.record_id = NEW.id AND v.type IN ('integer', 'real');
END;

CREATE TRIGGER prefkit_records_update AFTER UPDATE ON records BEGIN
  UPDATE prefkit_docs
    SET external_id = NEW.external_id, status = NEW.status,
        inserted_at = NEW.inserted_at, updated_at = NEW.updated_at
    WHERE record_id = NEW.id;
END;

CREATE TRIGGER prefkit_records_update_fields AFTER UPDATE ON records
WHEN NEW.fields IS NOT OLD.fields BEGIN
  INSERT OR REPLACE INTO prefkit_dirty (doc, mark)
    SELECT doc, random() FROM prefkit_docs WHERE record_id = NEW.id;
END;

CREATE TRIGGER prefkit_records_update_metadata AFTER UPDATE ON records
WHEN NEW.metadata IS NOT OLD.metadata BEGIN
  DELETE FROM prefkit_terms
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.id) AND slot % 8 = 0;
  DELETE FROM prefkit_numbers
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.id) AND slot % 8 = 0;
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key", coalesce(CAST(v.atom AS TEXT), v.type)
    FROM prefkit_docs AS d
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'metadata' AND k.type = 'terms'
    JOIN json_each(iif(json_valid(NEW.metadata), NEW.metadata, '{}'), '$."' || k.name || '"') AS v
    WHERE d.record_id = NEW.id AND v.type NOT IN ('null', 'array', 'object');
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key", v.atom
    FROM prefkit_docs AS d
    JOIN prefkit_keys AS k
      ON k.dataset = d.dataset AND k.source = 'metadata' AND k.type IN ('integer', 'float')
    JOIN json_each(iif(json_valid(NEW.metadata), NEW.metadata, '{}'), '$."' || k.name || '"') AS v
    WHERE d.record_id = NEW.id AND v.type IN ('integer', 'real');
END;

CREATE TRIGGER prefkit_docs_delete AFTER DELETE ON prefkit_docs BEGIN
  DELETE FROM prefkit_terms WHERE doc = OLD.doc;
  DELETE FROM prefkit_numbers WHERE doc = OLD.doc;
  DELETE FROM prefkit_responses WHERE doc = OLD.doc;
  DELETE FROM prefkit_dirty WHERE doc = OLD.doc;
  DELETE FROM prefkit_dirty_vectors WHERE doc = OLD.doc;
  DELETE FROM prefkit_vectors WHERE doc = OLD.doc;
  INSERT OR IGNORE INTO prefkit_gone (doc, dataset) VALUES (OLD.doc, OLD.dataset);
END;

CREATE TRIGGER prefkit_records_delete AFTER DELETE ON records BEGIN
  DELETE FROM prefkit_docs WHERE record_id = OLD.id;
END;

-- Responses.

CREATE TRIGGER prefkit_responses_insert AFTER INSERT ON responses BEGIN
  INSERT OR IGNORE INTO prefkit_annotators (user_id) VALUES (NEW.user_id);
  INSERT OR REPLACE INTO prefkit_responses (annotator, doc, dataset, status)
    SELECT a.annotator, d.doc, d.dataset, NEW.status
    FROM prefkit_docs AS d, prefkit_annotators AS a
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id;
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, annotator, term)
    SELECT d.doc, 8 * k."key" + 5, a.annotator, v.atom
    FROM prefkit_docs AS d, prefkit_annotators AS a
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'question'
      AND k.type IN ('label_selection', 'multi_label_selection')
    JOIN json_each(
      iif(json_valid(NEW."values"), NEW."values", '{}'), '$."' || k.name || '".value') AS v
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id AND v.type = 'text';
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, annotator, number)
    SELECT d.doc, 8 * k."key" + 5, a.annotator, v.atom
    FROM prefkit_docs AS d, prefkit_annotators AS a
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'question' AND k.type = 'rating'
    JOIN json_each(
      iif(json_valid(NEW."values"), NEW."values", '{}'), '$."' || k.name || '".value') AS v
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id AND v.type IN ('integer', 'real');
END;

CREATE TRIGGER prefkit_responses_update AFTER UPDATE ON responses BEGIN
  INSERT OR IGNORE INTO prefkit_annotators (user_id) VALUES (NEW.user_id);
  INSERT OR REPLACE INTO prefkit_responses (annotator, doc, dataset, status)
    SELECT a.annotator, d.doc, d.dataset, NEW.status
    FROM prefkit_docs AS d, prefkit_annotators AS a
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id;
  DELETE FROM prefkit_terms
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.record_id)
      AND annotator = (SELECT annotator FROM prefkit_annotators WHERE user_id = NEW.user_id);
  DELETE FROM prefkit_numbers
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.record_id)
      AND annotator = (SELECT annotator FROM prefkit_annotators WHERE user_id = NEW.user_id);
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, annotator, term)
    SELECT d.doc, 8 * k."key" + 5, a.annotator, v.atom
    FROM prefkit_docs AS d, prefkit_annotators AS a
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'question'
      AND k.type IN ('label_selection', 'multi_label_selection')
    JOIN json_each(
      iif(json_valid(NEW."values"), NEW."values", '{}'), '$."' || k.name || '".value') AS v
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id AND v.type = 'text';
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, annotator, number)
    SELECT d.doc, 8 * k."key" + 5, a.annotator, v.atom
    FROM prefkit_docs AS d, prefkit_annotators AS a
    JOIN prefkit_keys AS k ON k.dataset = d.dataset AND k.source = 'question' AND k.type = 'rating'
    JOIN json_each(
      iif(json_valid(NEW."values"), NEW."values", '{}'), '$."' || k.name || '".value') AS v
    WHERE d.record_id = NEW.record_id AND a.user_id = NEW.user_id AND v.type IN ('integer', 'real');
END;

CREATE TRIGGER prefkit_responses_delete AFTER DELETE ON responses BEGIN
  DELETE FROM prefkit_responses
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id)
      AND annotator = (SELECT annotator FROM prefkit_annotators WHERE user_id = OLD.user_id);
  DELETE FROM prefkit_terms
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id)
      AND annotator = (SELECT annotator FROM prefkit_annotators WHERE user_id = OLD.user_id);
  DELETE FROM prefkit_numbers
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id)
      AND annotator = (SELECT annotator FROM prefkit_annotators WHERE user_id = OLD.user_id);
END;

-- Suggestions.

CREATE TRIGGER prefkit_suggestions_insert AFTER INSERT ON suggestions BEGIN
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 1, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.value), NEW.value, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND k.type IN ('label_selection', 'multi_label_selection') AND v.type = 'text';
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key" + 1, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.value), NEW.value, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND k.type = 'rating' AND v.type IN ('integer', 'real');
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key" + 2, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.score), NEW.score, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND v.type IN ('integer', 'real');
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 3, NEW.agent FROM prefkit_docs AS d, prefkit_keys AS k
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id AND NEW.agent IS NOT NULL;
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 4, NEW.type FROM prefkit_docs AS d, prefkit_keys AS k
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id AND NEW.type IS NOT NULL;
END;

CREATE TRIGGER prefkit_suggestions_update AFTER UPDATE ON suggestions BEGIN
  DELETE FROM prefkit_terms
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.record_id)
      AND slot BETWEEN (SELECT 8 * "key" + 1 FROM prefkit_keys WHERE source_id = NEW.question_id)
        AND (SELECT 8 * "key" + 4 FROM prefkit_keys WHERE source_id = NEW.question_id);
  DELETE FROM prefkit_numbers
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = NEW.record_id)
      AND slot BETWEEN (SELECT 8 * "key" + 1 FROM prefkit_keys WHERE source_id = NEW.question_id)
        AND (SELECT 8 * "key" + 4 FROM prefkit_keys WHERE source_id = NEW.question_id);
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 1, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.value), NEW.value, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND k.type IN ('label_selection', 'multi_label_selection') AND v.type = 'text';
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key" + 1, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.value), NEW.value, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND k.type = 'rating' AND v.type IN ('integer', 'real');
  INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
    SELECT d.doc, 8 * k."key" + 2, v.atom
    FROM prefkit_docs AS d, prefkit_keys AS k
    JOIN json_each(iif(json_valid(NEW.score), NEW.score, 'null')) AS v
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id
      AND v.type IN ('integer', 'real');
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 3, NEW.agent FROM prefkit_docs AS d, prefkit_keys AS k
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id AND NEW.agent IS NOT NULL;
  INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
    SELECT d.doc, 8 * k."key" + 4, NEW.type FROM prefkit_docs AS d, prefkit_keys AS k
    WHERE d.record_id = NEW.record_id AND k.source_id = NEW.question_id AND NEW.type IS NOT NULL;
END;

CREATE TRIGGER prefkit_suggestions_delete AFTER DELETE ON suggestions BEGIN
  DELETE FROM prefkit_terms
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id)
      AND slot BETWEEN (SELECT 8 * "key" + 1 FROM prefkit_keys WHERE source_id = OLD.question_id)
        AND (SELECT 8 * "key" + 4 FROM prefkit_keys WHERE source_id = OLD.question_id);
  DELETE FROM prefkit_numbers
    WHERE doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id)
      AND slot BETWEEN (SELECT 8 * "key" + 1 FROM prefkit_keys WHERE source_id = OLD.question_id)
        AND (SELECT 8 * "key" + 4 FROM prefkit_keys WHERE source_id = OLD.question_id);
END;

-- Vectors.

CREATE TRIGGER prefkit_vectors_insert AFTER INSERT ON vectors BEGIN
  INSERT OR REPLACE INTO prefkit_dirty_vectors (doc, settings_id, mark)
    SELECT doc, NEW.vector_settings_id, random() FROM prefkit_docs WHERE record_id = NEW.record_id;
END;

CREATE TRIGGER prefkit_vectors_update AFTER UPDATE ON vectors BEGIN
  INSERT OR REPLACE INTO prefkit_dirty_vectors (doc, settings_id, mark)
    SELECT doc, NEW.vector_settings_id, random() FROM prefkit_docs WHERE record_id = NEW.record_id;
END;

CREATE TRIGGER prefkit_vectors_delete AFTER DELETE ON vectors BEGIN
  DELETE FROM prefkit_vectors
    WHERE settings_id = OLD.vector_settings_id
      AND doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id);
  DELETE FROM prefkit_dirty_vectors
    WHERE settings_id = OLD.vector_settings_id
      AND doc = (SELECT doc FROM prefkit_docs WHERE record_id = OLD.record_id);
END;

CREATE TRIGGER prefkit_packed_vectors_delete AFTER DELETE ON prefkit_vectors BEGIN
  UPDATE prefkit_vector_sets SET deletions = deletions + 1 WHERE settings_id = OLD.settings_id;
END;
