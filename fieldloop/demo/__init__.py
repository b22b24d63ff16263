"""The loop on sample documents: a generator of documents, a player of reviewers, and what they show."""
