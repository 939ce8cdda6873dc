"""Synthetic actors: identities, performances and films, all made from seeds."""
