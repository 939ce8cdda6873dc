"""What every other room uses: the ten actions, errors, files, runs, jobs."""
