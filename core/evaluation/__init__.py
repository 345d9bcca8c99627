"""From a lens to its answer: embedding, zero-shot classification, retrieval, similar pictures."""
