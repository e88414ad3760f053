"""The steps of cleaning as functions on tables, which an engine runs slice by slice."""
