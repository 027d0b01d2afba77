"""The ground floor: errors, and reading, writing and refusing that is safe; it knows nothing of models."""
