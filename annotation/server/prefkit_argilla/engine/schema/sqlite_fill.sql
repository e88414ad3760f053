-- Values of metadata properties that were made after some of the records.
INSERT OR IGNORE INTO prefkit_terms (doc, slot, term)
  SELECT d.doc, 8 * k."key", coalesce(CAST(v.atom AS TEXT), v.type)
  FROM prefkit_keys AS k
  JOIN prefkit_docs AS d ON d.dataset = k.dataset
  JOIN records AS r ON r.id = d.record_id
  JOIN json_each(iif(json_valid(r.metadata), r.metadata, '{}'), '$."' || k.name || '"') AS v
  WHERE k.filled = 0 AND k.type = 'terms' AND v.type NOT IN ('null', 'array', 'object');
INSERT OR IGNORE INTO prefkit_numbers (doc, slot, number)
  SELECT d.doc, 8 * k."key", v.atom
  FROM prefkit_keys AS k
  JOIN prefkit_docs AS d ON d.dataset = k.dataset
  JOIN records AS r ON r.id = d.record_id
  JOIN json_each(iif(json_valid(r.metadata), r.metadata, '{}'), '$."' || k.name || '"') AS v
  WHERE k.filled = 0 AND k.type IN ('integer', 'float') AND v.type IN ('integer', 'real');
UPDATE prefkit_keys SET filled = 1 WHERE filled = 0;
