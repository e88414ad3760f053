-- What the triggers would have written for rows that were there before them.
INSERT OR IGNORE INTO prefkit_datasets (dataset_id) SELECT id FROM datasets;
INSERT INTO prefkit_keys (dataset, source, source_id, name, type, filled)
  SELECT s.dataset, 'metadata', m.id, m.name, json_extract(m.settings, '$.type'), 0
  FROM metadata_properties AS m JOIN prefkit_datasets AS s ON s.dataset_id = m.dataset_id;
INSERT INTO prefkit_keys (dataset, source, source_id, name, type)
  SELECT s.dataset, 'question', q.id, q.name, json_extract(q.settings, '$.type')
  FROM questions AS q JOIN prefkit_datasets AS s ON s.dataset_id = q.dataset_id;
INSERT INTO prefkit_docs (dataset, record_id, external_id, status, inserted_at, updated_at)
  SELECT s.dataset, r.id, r.external_id, r.status, r.inserted_at, r.updated_at
  FROM records AS r JOIN prefkit_datasets AS s ON s.dataset_id = r.dataset_id
  ORDER BY r.inserted_at, r.rowid;
INSERT INTO prefkit_dirty (doc, mark) SELECT doc, random() FROM prefkit_docs;
INSERT INTO prefkit_dirty_vectors (doc, settings_id, mark)
  SELECT d.doc, v.vector_settings_id, random()
  FROM vectors AS v JOIN prefkit_docs AS d ON d.record_id = v.record_id;
UPDATE responses SET status = status;
UPDATE suggestions SET type = type;
