"""Publishing of a dataset: Hugging Face's folders, a card, Croissant, checksums, shards, C2PA."""
