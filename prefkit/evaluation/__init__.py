"""Base against tuned, item by item: a funnel of cheap checks first, people last, one verdict."""
