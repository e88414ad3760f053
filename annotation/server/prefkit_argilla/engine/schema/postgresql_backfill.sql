-- What the triggers would have written for rows that were there before them.
INSERT INTO prefkit_datasets (dataset_id) SELECT id FROM datasets ON CONFLICT DO NOTHING;
INSERT INTO prefkit_keys (dataset, source, source_id, name, type, filled)
  SELECT prefkit_dataset(dataset_id), 'metadata', id, name,
         prefkit_as_text(prefkit_at(settings, 'type')), 0
  FROM metadata_properties;
INSERT INTO prefkit_keys (dataset, source, source_id, name, type)
  SELECT prefkit_dataset(dataset_id), 'question', id, name,
         prefkit_as_text(prefkit_at(settings, 'type'))
  FROM questions;
INSERT INTO prefkit_docs (dataset, record_id, external_id, status, inserted_at, updated_at)
  SELECT s.dataset, r.id, r.external_id, r.status::TEXT, r.inserted_at, r.updated_at
  FROM records AS r JOIN prefkit_datasets AS s ON s.dataset_id = r.dataset_id
  ORDER BY r.inserted_at;
INSERT INTO prefkit_dirty (doc, mark) SELECT doc, nextval('prefkit_marks') FROM prefkit_docs;
INSERT INTO prefkit_dirty_vectors (doc, settings_id, mark)
  SELECT d.doc, v.vector_settings_id, nextval('prefkit_marks')
  FROM vectors AS v JOIN prefkit_docs AS d ON d.record_id = v.record_id;
INSERT INTO prefkit_responses (annotator, doc, dataset, status)
  SELECT prefkit_annotator(r.user_id), d.doc, d.dataset, r.status::TEXT
  FROM responses AS r JOIN prefkit_docs AS d ON d.record_id = r.record_id;
SELECT count(prefkit_put_response(d.doc, d.dataset, prefkit_annotator(r.user_id), r.values))
  FROM responses AS r JOIN prefkit_docs AS d ON d.record_id = r.record_id;
SELECT count(prefkit_put_suggestion(d.doc, s.question_id, s.value, s.score, s.agent, s.type::TEXT))
  FROM suggestions AS s JOIN prefkit_docs AS d ON d.record_id = s.record_id;
