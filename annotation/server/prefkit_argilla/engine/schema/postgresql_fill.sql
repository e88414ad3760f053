-- Values of metadata properties that were made after some of the records.
LOCK TABLE prefkit_keys IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM prefkit_terms AS t USING prefkit_keys AS k WHERE k.filled = 0 AND t.slot = 8 * k.key;
DELETE FROM prefkit_numbers AS n USING prefkit_keys AS k WHERE k.filled = 0 AND n.slot = 8 * k.key;
SELECT count(CASE WHEN k.type = 'terms'
    THEN prefkit_put_terms(d.doc, 8 * k.key, 0, prefkit_at(r.metadata, k.name))
    ELSE prefkit_put_numbers(d.doc, 8 * k.key, 0, prefkit_at(r.metadata, k.name)) END)
  FROM prefkit_keys AS k
  JOIN prefkit_docs AS d ON d.dataset = k.dataset
  JOIN records AS r ON r.id = d.record_id
  WHERE k.filled = 0;
UPDATE prefkit_keys SET filled = 1 WHERE filled = 0;
