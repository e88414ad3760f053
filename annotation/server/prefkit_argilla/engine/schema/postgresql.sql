-- What the search engine keeps beside Argilla's tables, on PostgreSQL.
--
-- The same tables and promises as sqlite.sql says. A value that PostgreSQL cannot turn into text
-- (JSON may hold \u0000 and halves of surrogate pairs) counts as missing: a trigger that fails would
-- refuse Argilla's own write.

CREATE TABLE prefkit_schema (version INTEGER NOT NULL);

-- The version grows whenever text was indexed.
CREATE TABLE prefkit_datasets (
  dataset INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dataset_id UUID NOT NULL UNIQUE,
  version INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE prefkit_annotators (
  annotator INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  user_id UUID NOT NULL UNIQUE
);

CREATE TABLE prefkit_docs (
  doc BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dataset INTEGER NOT NULL,
  record_id UUID NOT NULL UNIQUE,
  external_id TEXT COLLATE "C",
  status TEXT COLLATE "C" NOT NULL,
  inserted_at TIMESTAMP,
  updated_at TIMESTAMP,
  words INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX prefkit_docs_by_status ON prefkit_docs (dataset, status, doc);
CREATE INDEX prefkit_docs_by_inserted_at ON prefkit_docs (dataset, inserted_at, doc);
CREATE INDEX prefkit_docs_by_updated_at ON prefkit_docs (dataset, updated_at, doc);
CREATE INDEX prefkit_docs_by_external_id ON prefkit_docs (dataset, external_id, doc);

CREATE TABLE prefkit_keys (
  key INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  dataset INTEGER NOT NULL,
  source TEXT NOT NULL,
  source_id UUID NOT NULL UNIQUE,
  name TEXT NOT NULL,
  type TEXT,
  filled INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX prefkit_keys_by_dataset ON prefkit_keys (dataset, source, name);

CREATE TABLE prefkit_terms (
  doc BIGINT NOT NULL,
  slot INTEGER NOT NULL,
  annotator INTEGER NOT NULL DEFAULT 0,
  term TEXT COLLATE "C" NOT NULL
);
CREATE INDEX prefkit_terms_by_doc ON prefkit_terms (doc, slot, annotator);
CREATE INDEX prefkit_terms_by_term ON prefkit_terms (slot, left(term, 200), doc);

CREATE TABLE prefkit_numbers (
  doc BIGINT NOT NULL,
  slot INTEGER NOT NULL,
  annotator INTEGER NOT NULL DEFAULT 0,
  number DOUBLE PRECISION NOT NULL
);
CREATE INDEX prefkit_numbers_by_doc ON prefkit_numbers (doc, slot, annotator, number);
CREATE INDEX prefkit_numbers_by_number ON prefkit_numbers (slot, number, doc);

CREATE TABLE prefkit_responses (
  annotator INTEGER NOT NULL,
  doc BIGINT NOT NULL,
  dataset INTEGER NOT NULL,
  status TEXT NOT NULL,
  PRIMARY KEY (annotator, doc)
);
CREATE INDEX prefkit_responses_by_doc ON prefkit_responses (doc);
CREATE INDEX prefkit_responses_by_status ON prefkit_responses (dataset, annotator, status, doc);

-- Full text is made of tokens in Python: what waits for it, and what was made.
CREATE SEQUENCE prefkit_marks;
CREATE TABLE prefkit_dirty (doc BIGINT PRIMARY KEY, mark BIGINT NOT NULL);
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
  term TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (dataset, exact, length, term)
);
-- Wide values live out of line, so that counting matches reads a narrow table.
CREATE TABLE prefkit_text (
  doc BIGINT PRIMARY KEY,
  dataset INTEGER NOT NULL,
  lexemes TSVECTOR NOT NULL,
  tokens TEXT[] NOT NULL
) WITH (toast_tuple_target = 128);
CREATE INDEX prefkit_text_by_lexeme ON prefkit_text USING GIN (lexemes) WITH (fastupdate = off);

CREATE TABLE prefkit_dirty_vectors (
  doc BIGINT NOT NULL,
  settings_id UUID NOT NULL,
  mark BIGINT NOT NULL,
  PRIMARY KEY (doc, settings_id)
);
CREATE TABLE prefkit_vector_sets (
  settings_id UUID PRIMARY KEY,
  change BIGINT NOT NULL DEFAULT 0,
  deletions BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE prefkit_vectors (
  settings_id UUID NOT NULL,
  doc BIGINT NOT NULL,
  change BIGINT NOT NULL,
  value BYTEA NOT NULL,
  PRIMARY KEY (settings_id, doc)
);
ALTER TABLE prefkit_vectors ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE INDEX prefkit_vectors_by_change ON prefkit_vectors (settings_id, change);
CREATE INDEX prefkit_vectors_by_doc ON prefkit_vectors (doc);

-- Values out of JSON that may be anything.

CREATE FUNCTION prefkit_at(value JSON, VARIADIC path TEXT[]) RETURNS JSON
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN value #> path;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

CREATE FUNCTION prefkit_as_text(value JSON) RETURNS TEXT
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN value #>> '{}';
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

CREATE FUNCTION prefkit_as_number(value JSON) RETURNS DOUBLE PRECISION
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN json_typeof(value) = 'number' THEN (value #>> '{}')::DOUBLE PRECISION END;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

CREATE FUNCTION prefkit_each(value JSON) RETURNS SETOF JSON
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF value IS NULL OR json_typeof(value) IN ('null', 'object') THEN
    RETURN;
  ELSIF json_typeof(value) = 'array' THEN
    RETURN QUERY SELECT item FROM json_array_elements(value) AS item
      WHERE json_typeof(item) NOT IN ('null', 'array', 'object');
  ELSE
    RETURN NEXT value;
  END IF;
END $$;

CREATE FUNCTION prefkit_put_terms(the_doc BIGINT, the_slot INTEGER, who INTEGER, value JSON)
RETURNS VOID LANGUAGE sql AS $$
  INSERT INTO prefkit_terms (doc, slot, annotator, term)
    SELECT DISTINCT the_doc, the_slot, who, prefkit_as_text(item)
    FROM prefkit_each(value) AS item WHERE prefkit_as_text(item) IS NOT NULL;
$$;

CREATE FUNCTION prefkit_put_numbers(the_doc BIGINT, the_slot INTEGER, who INTEGER, value JSON)
RETURNS VOID LANGUAGE sql AS $$
  INSERT INTO prefkit_numbers (doc, slot, annotator, number)
    SELECT DISTINCT the_doc, the_slot, who, prefkit_as_number(item)
    FROM prefkit_each(value) AS item WHERE prefkit_as_number(item) IS NOT NULL;
$$;

CREATE FUNCTION prefkit_dataset(id UUID) RETURNS INTEGER LANGUAGE plpgsql AS $$
DECLARE
  found_one INTEGER;
BEGIN
  SELECT dataset INTO found_one FROM prefkit_datasets WHERE dataset_id = id;
  IF found_one IS NULL THEN
    INSERT INTO prefkit_datasets (dataset_id) VALUES (id) ON CONFLICT DO NOTHING;
    SELECT dataset INTO found_one FROM prefkit_datasets WHERE dataset_id = id;
  END IF;
  RETURN found_one;
END $$;

CREATE FUNCTION prefkit_annotator(id UUID) RETURNS INTEGER LANGUAGE plpgsql AS $$
DECLARE
  found_one INTEGER;
BEGIN
  SELECT annotator INTO found_one FROM prefkit_annotators WHERE user_id = id;
  IF found_one IS NULL THEN
    INSERT INTO prefkit_annotators (user_id) VALUES (id) ON CONFLICT DO NOTHING;
    SELECT annotator INTO found_one FROM prefkit_annotators WHERE user_id = id;
  END IF;
  RETURN found_one;
END $$;

CREATE FUNCTION prefkit_put_metadata(the_doc BIGINT, of_dataset INTEGER, metadata JSON)
RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  k RECORD;
BEGIN
  FOR k IN SELECT * FROM prefkit_keys WHERE dataset = of_dataset AND source = 'metadata' LOOP
    IF k.type = 'terms' THEN
      PERFORM prefkit_put_terms(the_doc, 8 * k.key, 0, prefkit_at(metadata, k.name));
    ELSE
      PERFORM prefkit_put_numbers(the_doc, 8 * k.key, 0, prefkit_at(metadata, k.name));
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION prefkit_put_response(
  the_doc BIGINT, of_dataset INTEGER, who INTEGER, answers JSON
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  k RECORD;
BEGIN
  FOR k IN SELECT * FROM prefkit_keys WHERE dataset = of_dataset AND source = 'question' LOOP
    IF k.type IN ('label_selection', 'multi_label_selection') THEN
      PERFORM prefkit_put_terms(
        the_doc, 8 * k.key + 5, who, prefkit_at(answers, k.name, 'value'));
    ELSIF k.type = 'rating' THEN
      PERFORM prefkit_put_numbers(
        the_doc, 8 * k.key + 5, who, prefkit_at(answers, k.name, 'value'));
    END IF;
  END LOOP;
END $$;

CREATE FUNCTION prefkit_put_suggestion(
  the_doc BIGINT, question UUID, value JSON, score JSON, agent TEXT, kind TEXT
) RETURNS VOID LANGUAGE plpgsql AS $$
DECLARE
  k RECORD;
BEGIN
  SELECT * INTO k FROM prefkit_keys WHERE source_id = question;
  IF k.type IN ('label_selection', 'multi_label_selection') THEN
    PERFORM prefkit_put_terms(the_doc, 8 * k.key + 1, 0, value);
  ELSIF k.type = 'rating' THEN
    PERFORM prefkit_put_numbers(the_doc, 8 * k.key + 1, 0, value);
  END IF;
  PERFORM prefkit_put_numbers(the_doc, 8 * k.key + 2, 0, score);
  INSERT INTO prefkit_terms (doc, slot, term)
    SELECT the_doc, 8 * k.key + facet, said
    FROM (VALUES (3, agent), (4, kind)) AS told (facet, said) WHERE said IS NOT NULL;
END $$;

-- Datasets, metadata properties and questions: the names of slots.

CREATE FUNCTION prefkit_on_dataset() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM prefkit_columns AS c USING prefkit_datasets AS s
    WHERE c.dataset = s.dataset AND s.dataset_id = OLD.id;
  DELETE FROM prefkit_vocabulary AS v USING prefkit_datasets AS s
    WHERE v.dataset = s.dataset AND s.dataset_id = OLD.id;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_datasets_delete AFTER DELETE ON datasets
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_dataset();

CREATE FUNCTION prefkit_on_name() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM prefkit_terms AS t USING prefkit_keys AS k
      WHERE k.source_id = OLD.id AND t.slot BETWEEN 8 * k.key AND 8 * k.key + 7;
    DELETE FROM prefkit_numbers AS n USING prefkit_keys AS k
      WHERE k.source_id = OLD.id AND n.slot BETWEEN 8 * k.key AND 8 * k.key + 7;
    DELETE FROM prefkit_keys WHERE source_id = OLD.id;
  ELSE
    INSERT INTO prefkit_keys (dataset, source, source_id, name, type, filled)
      VALUES (prefkit_dataset(NEW.dataset_id), TG_ARGV[0], NEW.id, NEW.name,
              prefkit_as_text(prefkit_at(NEW.settings, 'type')),
              CASE WHEN TG_ARGV[0] = 'metadata' THEN 0 ELSE 1 END);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_metadata_properties_change AFTER INSERT OR DELETE ON metadata_properties
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_name('metadata');
CREATE TRIGGER prefkit_questions_change AFTER INSERT OR DELETE ON questions
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_name('question');

-- Records.

CREATE FUNCTION prefkit_on_record() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  the_doc BIGINT;
  of_dataset INTEGER;
BEGIN
  IF TG_OP = 'DELETE' THEN
    SELECT doc INTO the_doc FROM prefkit_docs WHERE record_id = OLD.id;
    DELETE FROM prefkit_terms WHERE doc = the_doc;
    DELETE FROM prefkit_numbers WHERE doc = the_doc;
    DELETE FROM prefkit_responses WHERE doc = the_doc;
    DELETE FROM prefkit_dirty WHERE doc = the_doc;
    DELETE FROM prefkit_text WHERE doc = the_doc;
    DELETE FROM prefkit_dirty_vectors WHERE doc = the_doc;
    DELETE FROM prefkit_vectors WHERE doc = the_doc;
    DELETE FROM prefkit_docs WHERE doc = the_doc;
    RETURN NULL;
  END IF;
  IF TG_OP = 'INSERT' THEN
    of_dataset := prefkit_dataset(NEW.dataset_id);
    INSERT INTO prefkit_docs (dataset, record_id, external_id, status, inserted_at, updated_at)
      VALUES (of_dataset, NEW.id, NEW.external_id, NEW.status::TEXT, NEW.inserted_at,
              NEW.updated_at)
      RETURNING doc INTO the_doc;
    INSERT INTO prefkit_dirty (doc, mark) VALUES (the_doc, nextval('prefkit_marks'));
    PERFORM prefkit_put_metadata(the_doc, of_dataset, NEW.metadata);
    RETURN NULL;
  END IF;
  UPDATE prefkit_docs
    SET external_id = NEW.external_id, status = NEW.status::TEXT,
        inserted_at = NEW.inserted_at, updated_at = NEW.updated_at
    WHERE record_id = NEW.id
    RETURNING doc, dataset INTO the_doc, of_dataset;
  IF NEW.fields::TEXT IS DISTINCT FROM OLD.fields::TEXT THEN
    INSERT INTO prefkit_dirty (doc, mark) VALUES (the_doc, nextval('prefkit_marks'))
      ON CONFLICT (doc) DO UPDATE SET mark = excluded.mark;
  END IF;
  IF NEW.metadata::TEXT IS DISTINCT FROM OLD.metadata::TEXT THEN
    DELETE FROM prefkit_terms WHERE doc = the_doc AND slot % 8 = 0;
    DELETE FROM prefkit_numbers WHERE doc = the_doc AND slot % 8 = 0;
    PERFORM prefkit_put_metadata(the_doc, of_dataset, NEW.metadata);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_records_change AFTER INSERT OR UPDATE OR DELETE ON records
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_record();

-- Responses.

CREATE FUNCTION prefkit_on_response() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  d RECORD;
  who INTEGER;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    SELECT doc, dataset INTO d FROM prefkit_docs WHERE record_id = OLD.record_id;
    who := prefkit_annotator(OLD.user_id);
    DELETE FROM prefkit_terms WHERE doc = d.doc AND annotator = who;
    DELETE FROM prefkit_numbers WHERE doc = d.doc AND annotator = who;
    IF TG_OP = 'DELETE' THEN
      DELETE FROM prefkit_responses WHERE doc = d.doc AND annotator = who;
      RETURN NULL;
    END IF;
  END IF;
  SELECT doc, dataset INTO d FROM prefkit_docs WHERE record_id = NEW.record_id;
  IF d.doc IS NULL THEN
    RETURN NULL;
  END IF;
  who := prefkit_annotator(NEW.user_id);
  INSERT INTO prefkit_responses (annotator, doc, dataset, status)
    VALUES (who, d.doc, d.dataset, NEW.status::TEXT)
    ON CONFLICT (annotator, doc) DO UPDATE SET status = excluded.status;
  PERFORM prefkit_put_response(d.doc, d.dataset, who, NEW.values);
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_responses_change AFTER INSERT OR UPDATE OR DELETE ON responses
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_response();

-- Suggestions.

CREATE FUNCTION prefkit_on_suggestion() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  the_doc BIGINT;
  the_key INTEGER;
BEGIN
  IF TG_OP <> 'INSERT' THEN
    SELECT doc INTO the_doc FROM prefkit_docs WHERE record_id = OLD.record_id;
    SELECT key INTO the_key FROM prefkit_keys WHERE source_id = OLD.question_id;
    DELETE FROM prefkit_terms
      WHERE doc = the_doc AND slot BETWEEN 8 * the_key + 1 AND 8 * the_key + 4;
    DELETE FROM prefkit_numbers
      WHERE doc = the_doc AND slot BETWEEN 8 * the_key + 1 AND 8 * the_key + 4;
    IF TG_OP = 'DELETE' THEN
      RETURN NULL;
    END IF;
  END IF;
  SELECT doc INTO the_doc FROM prefkit_docs WHERE record_id = NEW.record_id;
  IF the_doc IS NOT NULL THEN
    PERFORM prefkit_put_suggestion(
      the_doc, NEW.question_id, NEW.value, NEW.score, NEW.agent, NEW.type::TEXT);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_suggestions_change AFTER INSERT OR UPDATE OR DELETE ON suggestions
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_suggestion();

-- Vectors.

CREATE FUNCTION prefkit_on_vector() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
  the_doc BIGINT;
BEGIN
  IF TG_OP = 'DELETE' THEN
    SELECT doc INTO the_doc FROM prefkit_docs WHERE record_id = OLD.record_id;
    DELETE FROM prefkit_vectors WHERE settings_id = OLD.vector_settings_id AND doc = the_doc;
    DELETE FROM prefkit_dirty_vectors
      WHERE settings_id = OLD.vector_settings_id AND doc = the_doc;
  ELSE
    INSERT INTO prefkit_dirty_vectors (doc, settings_id, mark)
      SELECT doc, NEW.vector_settings_id, nextval('prefkit_marks')
      FROM prefkit_docs WHERE record_id = NEW.record_id
      ON CONFLICT (doc, settings_id) DO UPDATE SET mark = excluded.mark;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_vectors_change AFTER INSERT OR UPDATE OR DELETE ON vectors
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_vector();

CREATE FUNCTION prefkit_on_packed_vector() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  UPDATE prefkit_vector_sets SET deletions = deletions + 1 WHERE settings_id = OLD.settings_id;
  RETURN NULL;
END $$;
CREATE TRIGGER prefkit_packed_vectors_delete AFTER DELETE ON prefkit_vectors
  FOR EACH ROW EXECUTE FUNCTION prefkit_on_packed_vector();
