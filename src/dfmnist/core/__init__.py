"""Parts that every other room uses: actions, errors, files, configs, jobs, text."""
